-- Records the heartbeat of a replica, removes replicas without recent heartbeats and old requests, and returns the
-- status that was requested for the replica.
-- KEYS    1 replicas
-- ARGV    1 replica   2 heartbeat   3 TTL of the entry (ms)   4 field of the request for the replica
-- returns the request, or nil
-- cost    O(replicas)
local all, request = redis.call('HGETALL', KEYS[1]), false
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], format_millis(server_now) .. '\n' .. ARGV[2])
local cutoff = server_now - ARGV[3]
for i = 1, #all, 2 do
  if tonumber(string.match(all[i + 1], '^%d+') or 0) < cutoff and all[i] ~= ARGV[1] then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] == ARGV[4] then
    request = all[i + 1]
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return request
