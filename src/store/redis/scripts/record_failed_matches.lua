-- Appends failed matches to their list.
-- KEYS    1 list (stream)
-- ARGV    1 maximum number of entries   2 TTL (ms)   3.. entries
-- returns 1
-- cost    O(entries)
for i = 3, #ARGV do
  redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], '*', 'match', ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
