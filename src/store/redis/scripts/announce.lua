-- Says that a replica is up, and forgets those that have not said so for long.
-- KEYS  1 replicas
-- ARGV  1 replica   2 what is told of it   3 now (ms)   4 who last said so before this is forgotten (ms)
--       5 ms after which all of it is forgotten
-- gives 1
-- cost  O(replicas)
local all = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3] .. '\n' .. ARGV[2])
for i = 1, #all, 2 do
  if tonumber(string.match(all[i + 1], '^%d+') or 0) < tonumber(ARGV[4]) and all[i] ~= ARGV[1] then
    redis.call('HDEL', KEYS[1], all[i])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
