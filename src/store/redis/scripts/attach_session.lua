-- Records the backend session of a service, and adds it to the resources of the service.
-- KEYS    1 svc:{id}   2 own:{id}
-- ARGV    1 field in own   2 ms that own outlives the service   3.. field, value ... of svc:{id}
-- returns {1} recorded | {0} no such service
-- cost    O(1)
local expires_at = redis.call('HGET', KEYS[1], '_end')
if not expires_at or redis.call('HEXISTS', KEYS[2], '_over') == 1 then
  return {0}
end
-- `own` first: the cleanup releases resources in it that have no service.
redis.call('HSET', KEYS[2], ARGV[1], '')
redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', expires_at + ARGV[2]))
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return {1}
