-- Removes all keys of the storage of an active service.
-- KEYS    1 svc:{id}
-- ARGV    1 '' or the revisions of which one must be the current one
-- returns {1, revision, descriptor, ...} the descriptors of the removed binaries | {0} no such service
--         {6, revision} the condition of ARGV[1] is not met
-- cost    O(keys of the service)
-- revision.lua precedes this script.
local state = redis.call('HMGET', KEYS[1], '_end', '_rev', '_watch')
if not state[1] then
  return {0}
end
local revision = to_revision(state[2])
if not is_listed(revision, ARGV[1]) then
  return {6, revision}
end
local replaced, removed, is_changed = {1, revision}, {}, false
local function flush()
  if #removed > 0 then
    redis.call('HDEL', KEYS[1], unpack(removed))
    removed, is_changed = {}, true
  end
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
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
if is_changed then -- after the removal, so this succeeds even if memory is full
  replaced[2] = revision + 1
  redis.call('HSET', KEYS[1], '_rev', revision + 1)
  if state[3] then
    notify(state[3])
  end
end
return replaced
