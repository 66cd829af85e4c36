-- Reads all fields of a service, unless they are larger than the limit.
-- KEYS    1 svc
-- ARGV    1 maximum bytes of names and values
-- returns alternating fields and values, empty if there is no service | the number of bytes, if it exceeds the limit
-- cost    O(n) for n fields
local max, bytes = tonumber(ARGV[1]), 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  bytes = bytes + #field + redis.call('HSTRLEN', KEYS[1], field)
end
if bytes > max then
  return bytes
end
return redis.call('HGETALL', KEYS[1])
