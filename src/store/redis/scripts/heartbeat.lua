-- Says that a replica is up, and forgets those that have not said so for long.
-- KEYS  1 replicas
-- ARGV  1 replica   2 what is told of it   3 ms after which it is forgotten
-- gives 1
-- cost  O(replicas)
local all = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], instant(server_now) .. '\n' .. ARGV[2])
local before = server_now - ARGV[3]
for i = 1, #all, 2 do
  if tonumber(string.match(all[i + 1], '^%d+') or 0) < before and all[i] ~= ARGV[1] then
    redis.call('HDEL', KEYS[1], all[i])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
