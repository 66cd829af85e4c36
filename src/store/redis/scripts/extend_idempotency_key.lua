-- Moves the end of an idempotency key, or gives the key back, if it is still bound to this service.
-- KEYS  1 idem:{digest of caller and key}
-- ARGV  1 id of the service   2 now (ms)   3 '' to give it back, or its new end (ms)
-- gives 1 done | 0 it is bound to another service, or to none
-- cost  O(1)
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[3] == '' then
  return redis.call('UNLINK', KEYS[1])
end
return redis.call('PEXPIREAT', KEYS[1], instant(ARGV[3] + ahead_of(ARGV[2])))
