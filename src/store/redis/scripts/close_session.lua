-- Closes a Bayeux session.
-- KEYS    1, 2 as in comet.lua
-- ARGV    1..3 as in comet.lua   4 position that the client has received of its only chat, or ''
-- returns nothing
-- cost    O(chats of the user)
local session = load_session()
if not session then
  return
end
local only, value, count = nil, nil, 0
each_chat(session, function(id, chat)
  only, value, count = id, chat, count + 1
end)
if ARGV[4] ~= '' and count == 1 then
  local received, sent, ends = parse_chat(value)
  local last = tonumber(sent or received)
  local position = math.min(tonumber(ARGV[4]), last)
  if ends and position == last then
    redis.call('HDEL', KEYS[1], 'chat:' .. only)
  else
    set_received(only, format_millis(position))
  end
end
-- First, because the removal of the last field would remove the key and its TTL.
if tonumber(session.waits) > server_now then
  signal()
end
redis.call('HDEL', KEYS[1], 'session:' .. ARGV[3])
redis.call('UNLINK', KEYS[2])
