-- Reads all fields of a service, unless they have more bytes than asked for.
-- KEYS  1 svc
-- ARGV  1 the most bytes of names and values
-- gives fields and values by turns, none where the service is gone | the number of bytes, where it is more
-- cost  O(n) for n fields
local max, bytes = tonumber(ARGV[1]), 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  bytes = bytes + #field + redis.call('HSTRLEN', KEYS[1], field)
end
if bytes > max then
  return bytes
end
return redis.call('HGETALL', KEYS[1])
