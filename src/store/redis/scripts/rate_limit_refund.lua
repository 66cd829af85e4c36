-- Decrements a rate limit counter, if it has not expired.
-- KEYS    1 rl:{...}
-- returns 1 decremented | 0 expired or zero
-- cost    O(1)
if tonumber(redis.call('GET', KEYS[1]) or '0') < 1 then
  return 0
end
redis.call('DECR', KEYS[1])
return 1
