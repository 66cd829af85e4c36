-- Subscribes a Bayeux session to the channel of chats, or ends the subscription.
-- KEYS    1, 2 as in comet.lua
-- ARGV    1..3 as in comet.lua   4 1 to subscribe, 0 to end   5.. patterns of the channel
-- returns 1 | 0 no such session
-- cost    O(patterns)
local session = load_session()
if not session then
  return 0
end
for i = 5, #ARGV do
  if ARGV[4] == '1' then
    redis.call('HSET', KEYS[2], 'sub:' .. ARGV[i], '')
  else
    redis.call('HDEL', KEYS[2], 'sub:' .. ARGV[i])
  end
end
if #ARGV > 4 and tonumber(session.waits) > server_now then
  signal()
end
return 1
