-- Removes all keys of the storage of an active service.
-- KEYS    1 svc:{id}
-- returns {1, descriptor, ...} the descriptors of the removed binaries | {0} no such service
-- cost    O(keys of the service)
local fields = redis.call('HKEYS', KEYS[1])
if #fields == 0 then
  return {0}
end
local replaced, removed = {1}, {}
local function flush()
  if #removed > 0 then
    redis.call('HDEL', KEYS[1], unpack(removed))
    removed = {}
  end
end
for _, field in ipairs(fields) do
  local binary = string.sub(field, 1, 5) == '_bin:'
  if binary then
    replaced[#replaced + 1] = redis.call('HGET', KEYS[1], field)
  end
  if binary or string.sub(field, 1, 1) ~= '_' then
    removed[#removed + 1] = field
  end
  if #removed == 1000 then -- `unpack` is limited to some thousands
    flush()
  end
end
flush()
return replaced
