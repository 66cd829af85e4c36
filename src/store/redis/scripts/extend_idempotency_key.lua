-- Changes the expiration of an idempotency key, or deletes the key, if it is bound to this service.
-- KEYS    1 idem:{digest of caller and key}
-- ARGV    1 id of the service   2 now (ms)   3 '' to delete it, or its new expiration (ms)
-- returns 1 done | 0 it is bound to another service, or unbound
-- cost    O(1)
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[3] == '' then
  return redis.call('UNLINK', KEYS[1])
end
return redis.call('PEXPIREAT', KEYS[1], to_server_time(ARGV[3], clock_offset(ARGV[2])))
