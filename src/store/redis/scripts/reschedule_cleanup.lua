-- Reschedules the sweep of a service, unless it was rescheduled meanwhile.
-- KEYS    1 idx:{shard}
-- ARGV    1 service   2 previous due time (ms)   3 new due time (ms), or '' to remove it
-- returns 1 rescheduled | 0 rescheduled by others: the service was deleted, or its expiration changed
-- cost    O(log n)
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) ~= tonumber(ARGV[2]) then
  return 0
end
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('ZREM', KEYS[1], ARGV[1])
if ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
return 1
