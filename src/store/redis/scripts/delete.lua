-- Deletes a service. The cleanup releases its resources outside of the hash.
-- KEYS    1 svc:{id}
-- ARGV    1 '' or the idempotency key that was deleted already
--         2 '' or the revisions of which one must be the current one
-- returns {1, revision} deleted | {0} no such service | {4, key} nothing changed: delete this idempotency key first
--         {6, revision} the condition of ARGV[2] is not met
-- cost    O(1); the memory is freed in the background
-- revision.lua precedes this script.
local fields = redis.call('HMGET', KEYS[1], '_service', '_claim', '_rev')
if not fields[1] then
  return {0}
end
local revision = to_revision(fields[3])
if not is_listed(revision, ARGV[2]) then
  return {6, revision}
end
if fields[2] and fields[2] ~= ARGV[1] then
  return {4, fields[2]}
end
redis.call('UNLINK', KEYS[1])
return {1, revision}
