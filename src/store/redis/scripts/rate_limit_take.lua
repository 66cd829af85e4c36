-- Increments a rate limit counter, unless it has reached the limit.
-- KEYS    1 rl:{...}
-- ARGV    1 window (ms), from the first increment   2 limit
-- returns {count including this operation, even if rejected, ms until the counter expires}
-- cost    O(1)
local count = (tonumber(redis.call('GET', KEYS[1])) or 0) + 1
if count <= tonumber(ARGV[2]) then
  redis.call('INCR', KEYS[1])
  if count == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
  end
end
return {count, redis.call('PTTL', KEYS[1])}
