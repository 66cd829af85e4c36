-- Changes the storage of an active service atomically.
-- KEYS    1 svc:{id}   if there are new binaries: 2 own:{id}   3.. blob:{id}:<blob>, one each
-- ARGV    1 maximum number of keys   2 ms that own outlives the service
--         3 B, number of descriptor fields; then B fields `_bin:<name>`, one per name touched
--         D, number of fields to delete; then D fields
--         S, number of field/value strings to set; then S strings
--         then expected chunks and field in own, two per blob
-- returns {1, descriptor, ...} stored, with the descriptors of replaced or removed binaries
--         {0} no such service | {2} chunks of a binary are missing | {3} too many keys
-- cost    O(names touched); O(keys of the service) near the limit
local next_arg = 3
local function read_range()
  local n = tonumber(ARGV[next_arg])
  local first = next_arg + 1
  next_arg = first + n
  return first, next_arg - 1
end
local b1, bn = read_range()
local d1, dn = read_range()
local s1, sn = read_range()

local current = redis.call('HMGET', KEYS[1], '_end', unpack(ARGV, b1, bn))
local service_end = current[1]
if not service_end then
  return {0}
end
for i = 3, #KEYS do
  if redis.call('HLEN', KEYS[i]) ~= tonumber(ARGV[next_arg + 2 * (i - 3)]) then
    return {2}
  end
end

local replaced, removed = {1}, {}
for i = d1, dn do
  removed[#removed + 1] = ARGV[i]
end
for i = b1, bn do
  local descriptor = current[i - b1 + 2]
  if descriptor then
    replaced[#replaced + 1] = descriptor
    removed[#removed + 1] = ARGV[i]
  end
end

-- The hash also has internal fields, so this estimate reaches the limit early; then the keys are counted
-- exactly.
if sn >= s1 and redis.call('HLEN', KEYS[1]) + (sn - s1 + 1) / 2 > tonumber(ARGV[1]) then
  local names = {}
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    names[field] = true
  end
  for _, field in ipairs(removed) do
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

if #removed > 0 then
  redis.call('HDEL', KEYS[1], unpack(removed))
end
for i = 3, #KEYS do
  redis.call('PEXPIREAT', KEYS[i], service_end)
  redis.call('HSET', KEYS[2], ARGV[next_arg + 2 * (i - 3) + 1], '')
end
if #KEYS > 2 then
  redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', service_end + ARGV[2]))
end
if sn >= s1 then
  redis.call('HSET', KEYS[1], unpack(ARGV, s1, sn))
end
return replaced
