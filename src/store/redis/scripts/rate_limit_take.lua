-- Counts one more, unless there are as many as there may be: what is refused has not happened.
-- KEYS  1 rl:{...}
-- ARGV  1 ms that a count lasts, from the first one on   2 how many there may be
-- gives {how many there are with this one, counted or not, ms until the count ends}
-- cost  O(1)
local times = (tonumber(redis.call('GET', KEYS[1])) or 0) + 1
if times <= tonumber(ARGV[2]) then
  redis.call('INCR', KEYS[1])
  if times == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
  end
end
return {times, redis.call('PTTL', KEYS[1])}
