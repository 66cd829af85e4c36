-- Sets a short TTL on unreferenced binaries, so that downloads in progress can complete.
-- KEYS    1 own:{id}   2.. blob:{id}:<blob>
-- ARGV    1 ms from now   2.. fields in own of KEYS[2..]
-- returns 1
-- cost    O(binaries); never extends a TTL
for i = 2, #KEYS do
  if redis.call('PTTL', KEYS[i]) > tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
  end
  redis.call('HDEL', KEYS[1], ARGV[i])
end
return 1
