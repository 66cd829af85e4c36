-- Counts one more.
-- KEYS  1 tly:{...}
-- ARGV  1 ms that a count lasts, from the first one on
-- gives {how many there were, ms until the count ends}
-- cost  O(1)
local times = redis.call('INCR', KEYS[1])
if times == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return {times, redis.call('PTTL', KEYS[1])}
