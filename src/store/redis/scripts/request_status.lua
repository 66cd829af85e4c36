-- Requests a status for a replica, which its heartbeat returns, and notifies all replicas.
-- KEYS    1 replicas
-- ARGV    1 field of the request for the replica   2 request   3 time that the request must be later than (ms)
--         4 TTL of the entry (ms)   5 channel of the notification   6 message
-- returns the time of the request (ms), which is also later than that of the previous request
-- cost    O(1)
local last = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^%d+') or 0
local at = math.max(server_now, last + 1, ARGV[3] + 1)
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('HSET', KEYS[1], ARGV[1], format_millis(at) .. '\n' .. ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
-- Without the permission to publish, the next heartbeat returns the request.
redis.pcall('PUBLISH', ARGV[5], ARGV[6])
return at
