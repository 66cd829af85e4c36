-- Stores a chunk of a binary that is not visible yet, and sets the TTL of the binary.
-- KEYS    1 blob:{id}:<blob>
-- ARGV    1 index   2 chunk   3 TTL (s)
-- returns 1
-- cost    O(1), plus a copy of the chunk
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
