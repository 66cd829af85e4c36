-- Lets binaries that no name points to end soon, so that downloads under way can finish.
-- KEYS  1 own:{id}   2.. blob:{id}:<blob>
-- ARGV  1 ms from now   2.. fields in own of KEYS[2..]
-- gives 1
-- cost  O(binaries); never lengthens a life
for i = 2, #KEYS do
  if redis.call('PTTL', KEYS[i]) > tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
  end
  redis.call('HDEL', KEYS[1], ARGV[i])
end
return 1
