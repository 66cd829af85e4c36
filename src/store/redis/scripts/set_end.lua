-- Moves the end of a service and of everything that belongs to it.
-- KEYS  1 svc:{id}   2 own:{id}   3.. blob:{id}:<blob>, all that own:{id} lists
-- ARGV  1 now (ms)   2 new end (ms)   3 ms that own outlives the service
--       4 '' or the claim that was moved already
--       5 '' or the answer that a repeat of its create gets from now on
--       6.. fields in own of KEYS[3..], and behind them those that have no key
-- gives {1} moved | {0} no such service
--       {4, claim or '', field, ...} nothing was changed: call again with this claim moved and these
--       blobs in KEYS (a script may touch only keys it was given)
-- cost  O(binaries)
local claim = redis.call('HMGET', KEYS[1], '_service', '_claim')
if not claim[1] then
  return {0}
end
local given = {}
for i = 6, #ARGV do
  given[ARGV[i]] = true
end
local missing = (claim[2] or '') ~= ARGV[4]
local answer, owned = {4, claim[2] or ''}, {}
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  answer[#answer + 1] = field
  owned[field] = true
  missing = missing or not given[field]
end
if missing then
  return answer
end
local ends = ARGV[2] + ahead_of(ARGV[1])
for i = 3, #KEYS do
  if owned[ARGV[i + 3]] then -- one that was replaced meanwhile keeps the short life it was given
    redis.call('PEXPIREAT', KEYS[i], instant(ends))
  end
end
redis.call('PEXPIREAT', KEYS[2], instant(ends + ARGV[3]))
redis.call('HSET', KEYS[1], '_end', instant(ends))
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], '_answer', ARGV[5])
end
redis.call('PEXPIREAT', KEYS[1], instant(ends))
return {1}
