-- Changes the storage of a living service, all or nothing.
-- KEYS  1 svc:{id}   where there are new binaries 2 own:{id}   3.. blob:{id}:<blob>, one each
-- ARGV  1 most keys allowed   2 ms that own outlives the service
--       3 B, number of descriptor fields; then B fields `_bin:<name>`, one per name touched
--       D, number of fields to delete; then D fields
--       S, number of field/value strings to set; then S strings
--       then expected chunks and field in own, two per blob
-- gives {1, descriptor, ...} stored, and the descriptors of binaries that were replaced or removed
--       {0} no such service | {2} a binary's chunks are gone | {3} too many keys
-- cost  O(names touched); O(keys of the service) when that comes near the limit
local at = 3
local function take()
  local n = tonumber(ARGV[at])
  local first = at + 1
  at = first + n
  return first, at - 1
end
local b1, bn = take()
local d1, dn = take()
local s1, sn = take()

local held = redis.call('HMGET', KEYS[1], '_end', unpack(ARGV, b1, bn))
local service_end = held[1]
if not service_end then
  return {0}
end
for i = 3, #KEYS do
  if redis.call('HLEN', KEYS[i]) ~= tonumber(ARGV[at + 2 * (i - 3)]) then
    return {2}
  end
end

local replaced, gone = {1}, {}
for i = d1, dn do
  gone[#gone + 1] = ARGV[i]
end
for i = b1, bn do
  local descriptor = held[i - b1 + 2]
  if descriptor then
    replaced[#replaced + 1] = descriptor
    gone[#gone + 1] = ARGV[i]
  end
end

-- The hash also has fields of ours, so this is over before the limit is: then it counts exactly.
if sn >= s1 and redis.call('HLEN', KEYS[1]) + (sn - s1 + 1) / 2 > tonumber(ARGV[1]) then
  local names = {}
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    names[field] = true
  end
  for _, field in ipairs(gone) do
    names[field] = nil
  end
  for i = s1, sn, 2 do
    names[ARGV[i]] = true
  end
  local count = 0
  for field in pairs(names) do
    if string.sub(field, 1, 1) ~= '_' or string.sub(field, 1, 5) == '_bin:' then
      count = count + 1
    end
  end
  if count > tonumber(ARGV[1]) then
    return {3}
  end
end

if #gone > 0 then
  redis.call('HDEL', KEYS[1], unpack(gone))
end
for i = 3, #KEYS do
  redis.call('PEXPIREAT', KEYS[i], service_end)
  redis.call('HSET', KEYS[2], ARGV[at + 2 * (i - 3) + 1], '')
end
if #KEYS > 2 then
  redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', service_end + ARGV[2]))
end
if sn >= s1 then
  redis.call('HSET', KEYS[1], unpack(ARGV, s1, sn))
end
return replaced
