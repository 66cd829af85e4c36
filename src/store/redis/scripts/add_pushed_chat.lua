-- Adds a chat that is pushed to a user.
-- KEYS    1 as in comet.lua
-- ARGV    1, 2 as in comet.lua   3 id   4 ttl (ms)   5 maximum number of chats
-- returns 1 | 0 the user has too many
-- cost    O(chats and sessions of the user)
local field, count = 'chat:' .. ARGV[3], 0
local user = read(KEYS[1])
each_chat(user, function()
  count = count + 1
end)
if not user[field] then
  if count >= tonumber(ARGV[5]) then
    return 0
  end
  redis.call('HSET', KEYS[1], field, '0')
  signal()
end
extend(KEYS[1], ARGV[4])
return 1
