-- Makes a replica the one that cleans up, unless another one is.
-- KEYS  1 lease:cleanup
-- ARGV  1 replica   2 ms that this holds for
-- gives 1 it is | 0 another one is
-- cost  O(1)
local held_by = redis.call('GET', KEYS[1])
if held_by and held_by ~= ARGV[1] then
  return 0
end
-- Without memory Redis refuses a first write that takes some, and lets one through behind another.
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
