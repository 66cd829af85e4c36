-- Makes a service whole: its hash, its life, and what it holds.
-- KEYS  1 svc:{id}   where it holds something 2 own:{id}   3.. blob:{id}:<blob>, one per binary
-- ARGV  1 now (ms)   2 when it was asked for (ms)   3 end (ms)   4 ms that own outlives the service
--       O, number of fields of own; then O fields: all that the service holds
--       then expected chunks, one per binary; then field, value, field, value ... of svc:{id}
-- gives {1} made | {0, answer or false} there is such a service | {2} a binary's chunks are gone, or
--       the id was given up meanwhile, and with it the number that was booked
-- cost  O(fields + blobs); nothing is changed unless {1}
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {0, redis.call('HGET', KEYS[1], '_answer')}
end
local ahead = ahead_of(ARGV[1])
local created, ends = ARGV[2] + ahead, ARGV[3] + ahead
local owned = tonumber(ARGV[5])
local at = 6 + owned
if owned > 0 and redis.call('HEXISTS', KEYS[2], '_over') == 1 then
  return {2}
end
for i = 6, 5 + owned do
  if string.sub(ARGV[i], 1, 5) == 'book:' and redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then
    return {2}
  end
end
for i = 3, #KEYS do
  if redis.call('HLEN', KEYS[i]) ~= tonumber(ARGV[at]) then
    return {2}
  end
  at = at + 1
end
-- `own` first: what is listed there and has no service is what the clean-up gives back.
for i = 6, 5 + owned do
  redis.call('HSET', KEYS[2], ARGV[i], '')
end
if owned > 0 then
  redis.call('PEXPIREAT', KEYS[2], instant(ends + ARGV[4]))
end
for i = 3, #KEYS do
  redis.call('PEXPIREAT', KEYS[i], instant(ends))
end
redis.call('HSET', KEYS[1], '_created', instant(created), '_end', instant(ends), unpack(ARGV, at))
redis.call('PEXPIREAT', KEYS[1], instant(ends))
return {1}
