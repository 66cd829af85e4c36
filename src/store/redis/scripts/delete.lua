-- Deletes a service. The cleanup releases its resources outside of the hash.
-- KEYS    1 svc:{id}   if it has a webhook: 2 own:{id}   3 events:{id}
-- ARGV    1 '' or the idempotency key that was deleted already
--         2 '' or the revisions of which one must be the current one   3 id
-- returns {1, revision, idempotency key or ''} deleted: under a condition, delete this idempotency key now
--         {0} no such service
--         {4, idempotency key or '', 1 or ''} nothing changed: delete this idempotency key first; if 1, call with all keys
--         {6, revision} the condition of ARGV[2] is not met
-- cost    O(1); the memory is freed in the background
-- revision.lua precedes this script; with all keys also clock.lua, events.lua and service_events.lua.
local fields = redis.call('HMGET', KEYS[1], '_service', '_claim', '_rev', '_hook')
local definition, hook = fields[1], fields[4]
if not definition then
  return {0}
end
local revision = to_revision(fields[3])
if not is_listed(revision, ARGV[2]) then
  return {6, revision}
end
-- A pending create has no events.
-- Under a condition, which can fail later, no other key is deleted first.
local claim = ARGV[2] == '' and fields[2] or ''
local has_event = hook and string.find(hook, '^[^p].*') and string.find(hook, '[de]')
if (claim ~= '' and claim ~= ARGV[1]) or (has_event and not KEYS[3]) then
  return {4, claim, has_event and '1' or ''}
end
local created = has_event and redis.call('HGET', KEYS[1], '_created')
-- First, because it allocates nothing: if memory is full, Redis rejects a script whose first write allocates, but not later
-- writes.
redis.call('UNLINK', KEYS[1])
if has_event then
  local rest = hook .. ':' .. definition
  if redis.call('HEXISTS', KEYS[2], 'hook:' .. rest) == 1 then
    redis.call('HSET', KEYS[2], 'hook:-' .. rest, '')
    redis.call('HDEL', KEYS[2], 'hook:' .. rest)
  end
  if string.find(hook, 'd', 1, true) then
    write_service_event(KEYS[3], 'service.deleted', ARGV[3], definition, created, {})
  end
end
return {1, revision, fields[2] or ''}
