-- Records a batch of a Bayeux session before it is sent.
-- KEYS    1, 2 as in comet.lua
-- ARGV    1..3 as in comet.lua   4 generation of the connect
--         5.. id, position sent or '' to remove the chat, 1 if the chat ends with it else 0 ...
-- returns {1, number of the batch} | {0} no such session | {2} a later connect has replaced this one
-- cost    O(chats in the batch)
local session = load_session()
if not session then
  return {0}
end
if session.generation ~= ARGV[4] then
  return {2}
end
local is_batch = false
for i = 5, #ARGV, 3 do
  local field = 'chat:' .. ARGV[i]
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], field)
    redis.call('HDEL', KEYS[2], field)
  elseif session[field] then
    is_batch = true
    local received = parse_chat(session[field])
    redis.call('HSET', KEYS[2], field, received .. ':' .. ARGV[i + 1] .. (ARGV[i + 2] == '1' and 'e' or ''))
  end
end
if is_batch then
  session.batch = format_millis(session.batch + 1)
  redis.call('HSET', KEYS[2], 'batch', session.batch, 'waits', '0')
end
return {1, session.batch}
