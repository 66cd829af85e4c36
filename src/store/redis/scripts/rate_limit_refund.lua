-- Takes one back of what was counted. Where the count has ended there is nothing to do.
-- KEYS  1 rl:{...}
-- gives 1 taken back | 0 not
-- cost  O(1)
if tonumber(redis.call('GET', KEYS[1]) or '0') < 1 then
  return 0
end
redis.call('DECR', KEYS[1])
return 1
