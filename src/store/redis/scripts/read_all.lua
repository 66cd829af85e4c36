-- Reads all fields of a service, unless they are larger than the limit.
-- KEYS    1 svc
-- ARGV    1 maximum bytes of names and values   2 only if the caller has contents: their revisions, or '' for all
-- returns alternating fields and values, empty if there is no service | the number of bytes, if it exceeds the limit
--         only the fields of the revision, if the caller has its contents
-- cost    O(n) for n fields
-- revision.lua precedes this script.
if ARGV[2] then
  local state = redis.call('HMGET', KEYS[1], '_created', '_rev')
  if state[1] and is_listed(to_revision(state[2]), ARGV[2]) then
    return state[2] and {'_created', state[1], '_rev', state[2]} or {'_created', state[1]}
  end
end
local max, bytes = tonumber(ARGV[1]), 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  bytes = bytes + #field + redis.call('HSTRLEN', KEYS[1], field)
end
if bytes > max then
  return bytes
end
return redis.call('HGETALL', KEYS[1])
