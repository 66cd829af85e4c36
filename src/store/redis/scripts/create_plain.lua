-- Creates a service without resources, webhook and idempotency key, under a generated id: its hash and its expiration.
-- KEYS    1 svc:{id}
-- ARGV    1 now (ms)   2 time of the create request (ms)   3 expiration (ms)
--         4.. field, value, field, value ... of svc:{id}
-- returns 1 created | {0, response or false} the service exists
-- cost    O(fields)
-- create.lua creates all others; this takes less time, because there are fewer arguments and no resources.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {0, redis.call('HGET', KEYS[1], '_answer')}
end
local offset = clock_offset(ARGV[1])
local expires_at = to_server_time(ARGV[3], offset)
redis.call('HSET', KEYS[1], '_created', to_server_time(ARGV[2], offset), '_end', expires_at, unpack(ARGV, 4))
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('PEXPIREAT', KEYS[1], expires_at)
return 1
