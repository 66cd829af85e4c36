-- Records the heartbeat of a replica, and removes replicas without recent heartbeats.
-- KEYS    1 replicas
-- ARGV    1 replica   2 status   3 TTL of the entry (ms)
-- returns 1
-- cost    O(replicas)
local all = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], format_millis(server_now) .. '\n' .. ARGV[2])
local cutoff = server_now - ARGV[3]
for i = 1, #all, 2 do
  if tonumber(string.match(all[i + 1], '^%d+') or 0) < cutoff and all[i] ~= ARGV[1] then
    redis.call('HDEL', KEYS[1], all[i])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
