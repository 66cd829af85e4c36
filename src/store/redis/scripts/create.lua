-- Makes a service whole: its hash, its life, and the binaries uploaded for it.
-- KEYS  1 svc:{id}   2 own:{id}   3.. blob:{id}:<blob>, one per binary
-- ARGV  1 end (ms)   2 end of own (ms)   3 expected chunks of KEYS[3], 4 its field in own, ... (two
--       per blob)   then field, value, field, value ... of svc:{id}
-- gives {1} made | {0, answer or false} there is such a service | {2} a binary's chunks are gone
-- cost  O(fields + blobs); nothing is changed unless {1}
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {0, redis.call('HGET', KEYS[1], '_answer')}
end
local at = 3
for i = 3, #KEYS do
  if redis.call('HLEN', KEYS[i]) ~= tonumber(ARGV[at]) then
    return {2}
  end
  at = at + 2
end
-- `own` first: what is listed there and has no service is what the clean-up gives back.
for i = 3, #KEYS do
  redis.call('HSET', KEYS[2], ARGV[2 * i - 2], '')
  redis.call('PEXPIREAT', KEYS[i], ARGV[1])
end
if #KEYS > 2 then
  redis.call('PEXPIREAT', KEYS[2], ARGV[2])
end
redis.call('HSET', KEYS[1], unpack(ARGV, at))
redis.call('PEXPIREAT', KEYS[1], ARGV[1])
return {1}
