-- Empties the storage of a living service.
-- KEYS  1 svc:{id}
-- gives {1, descriptor, ...} the descriptors of the binaries that were in it | {0} no such service
-- cost  O(keys of the service)
local fields = redis.call('HKEYS', KEYS[1])
if #fields == 0 then
  return {0}
end
local replaced, gone = {1}, {}
local function flush()
  if #gone > 0 then
    redis.call('HDEL', KEYS[1], unpack(gone))
    gone = {}
  end
end
for _, field in ipairs(fields) do
  local binary = string.sub(field, 1, 5) == '_bin:'
  if binary then
    replaced[#replaced + 1] = redis.call('HGET', KEYS[1], field)
  end
  if binary or string.sub(field, 1, 1) ~= '_' then
    gone[#gone + 1] = field
  end
  if #gone == 1000 then -- `unpack` has a limit of some thousands
    flush()
  end
end
flush()
return replaced
