-- Stores a chunk of a binary that nobody sees yet, and lets it end by itself if nobody ever does.
-- KEYS  1 blob:{id}:<blob>
-- ARGV  1 index   2 chunk   3 seconds that it lives from now
-- gives 1
-- cost  O(1), and a copy of the chunk
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
