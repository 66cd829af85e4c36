-- Creates a service without resources, webhook and idempotency key, under a generated id: its hash and its expiration.
-- KEYS    1 svc:{id}
-- ARGV    1 now (ms)   2 time of the create request (ms)   3 expiration (ms)
--         4.. field, value, field, value ... of svc:{id}
-- returns 1
-- cost    O(fields)
-- A command is sent once, and no client knows the id, so the service cannot exist. create.lua creates all others; this
-- takes a quarter less time.
local offset = clock_offset(ARGV[1])
local expires_at = to_server_time(ARGV[3], offset)
redis.call('HSET', KEYS[1], '_created', to_server_time(ARGV[2], offset), '_end', expires_at, unpack(ARGV, 4))
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('PEXPIREAT', KEYS[1], expires_at)
return 1
