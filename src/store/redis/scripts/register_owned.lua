-- Records a resource of a service before it is acquired.
-- KEYS    1 svc:{id}   2 own:{id}
-- ARGV    1 now (ms)   2 field   3 '' for an existing service, or the time (ms) at which a pending create is
--         abandoned   4 ms that own outlives that
-- returns {1, expiration (ms)} recorded | {0} no such service
-- cost    O(1)
-- In a retry the service may exist already; then its own expiration is used.
local offset = clock_offset(ARGV[1])
local expires_at = redis.call('HGET', KEYS[1], '_end') or (ARGV[3] ~= '' and ARGV[3] + offset)
if not expires_at or redis.call('HEXISTS', KEYS[2], '_over') == 1 then
  return {0}
end
redis.call('HSET', KEYS[2], ARGV[2], '')
redis.call('PEXPIREAT', KEYS[2], format_millis(expires_at + ARGV[4]))
return {1, format_millis(expires_at - offset)}
