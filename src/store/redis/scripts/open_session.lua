-- Opens a Bayeux session with the chats of its user.
-- KEYS    1, 2 as in comet.lua
-- ARGV    1..3 as in comet.lua   4 1 if it uses acknowledgements else 0   5 ttl (ms)   6 maximum number of sessions
-- returns nothing
-- cost    O(chats and sessions of the user)
local user, first, first_end, count = read(KEYS[1]), nil, nil, 0
for field, value in pairs(user) do
  if string.sub(field, 1, 8) == 'session:' then
    if tonumber(value) <= server_now then
      redis.call('HDEL', KEYS[1], field)
    else
      count = count + 1
      if not first_end or tonumber(value) < first_end then
        first, first_end = field, tonumber(value)
      end
    end
  end
end
if count >= tonumber(ARGV[6]) then
  redis.call('HDEL', KEYS[1], first)
end
redis.call('HSET', KEYS[1], 'session:' .. ARGV[3], format_millis(server_now + ARGV[5]))
extend(KEYS[1], ARGV[5])
local fields = {'ack', ARGV[4], 'generation', '0', 'batch', '0', 'waits', '0'}
each_chat(user, function(id, position)
  fields[#fields + 1] = 'chat:' .. id
  fields[#fields + 1] = position
end)
redis.call('HSET', KEYS[2], unpack(fields))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
