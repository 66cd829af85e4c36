-- Has the sweep look after a service at another time, unless somebody wanted something else meanwhile.
-- KEYS  1 idx:{shard}
-- ARGV  1 service   2 when it was due (ms)   3 when it is due from now on (ms)
-- gives 1 moved | 0 it was moved by others: it was deleted, or its end was moved
-- cost  O(log n)
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) ~= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
