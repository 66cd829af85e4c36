-- Moves the end of a service and of everything that belongs to it.
-- KEYS  1 svc:{id}   2 own:{id}   3.. blob:{id}:<blob>, all that own:{id} lists
-- ARGV  1 new end (ms)   2 new end of own (ms)   3 '' or the claim that was moved already
--       4 '' or the answer that a repeat of its create gets from now on
--       5.. fields in own of KEYS[3..], and behind them those that have no key
-- gives {1} moved | {0} no such service
--       {4, claim or '', field, ...} nothing was changed: call again with this claim moved and these
--       blobs in KEYS (a script may touch only keys it was given)
-- cost  O(binaries)
local claim = redis.call('HMGET', KEYS[1], '_service', '_claim')
if not claim[1] then
  return {0}
end
local given = {}
for i = 5, #ARGV do
  given[ARGV[i]] = true
end
local missing = (claim[2] or '') ~= ARGV[3]
local answer, owned = {4, claim[2] or ''}, {}
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  answer[#answer + 1] = field
  owned[field] = true
  missing = missing or not given[field]
end
if missing then
  return answer
end
for i = 3, #KEYS do
  if owned[ARGV[i + 2]] then -- one that was replaced meanwhile keeps the short life it was given
    redis.call('PEXPIREAT', KEYS[i], ARGV[1])
  end
end
redis.call('PEXPIREAT', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], '_end', ARGV[1])
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], '_answer', ARGV[4])
end
redis.call('PEXPIREAT', KEYS[1], ARGV[1])
return {1}
