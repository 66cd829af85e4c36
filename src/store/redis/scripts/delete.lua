-- Deletes a service. The cleanup releases its resources outside of the hash.
-- KEYS    1 svc:{id}
-- ARGV    1 '' or the idempotency key that was deleted already
-- returns {1} deleted | {0} no such service | {4, key} nothing changed: delete this idempotency key first
-- cost    O(1); the memory is freed in the background
local fields = redis.call('HMGET', KEYS[1], '_service', '_claim')
if not fields[1] then
  return {0}
end
if fields[2] and fields[2] ~= ARGV[1] then
  return {4, fields[2]}
end
redis.call('UNLINK', KEYS[1])
return {1}
