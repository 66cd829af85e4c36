-- Changes the stored catalog atomically, appends to the audit log and notifies all replicas.
-- KEYS    1 version   2 services   3 resources   4 retired   5 audit log
-- ARGV    1 the version that the change is based on or ''   2 the new version   3 now (ms)
--         4 channel of the notification   5 approximate number of events that the audit log retains
--         6 number of steps   7.. per step: 'put', 'retire' or 'forget', 'services' or 'resources', name,
--         text ...   then events
-- returns 1 applied | 0 the current version is another one; nothing changed
-- cost    O(steps and events)
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
local tables = {services = KEYS[2], resources = KEYS[3]}
redis.call('SET', KEYS[1], ARGV[2])
local next_arg = 7
for step = 1, ARGV[6] do
  local kind, name, text = ARGV[next_arg], ARGV[next_arg + 2], ARGV[next_arg + 3]
  local entries, retired_field = tables[ARGV[next_arg + 1]], ARGV[next_arg + 1] .. '/' .. name
  if kind == 'put' then
    redis.call('HSET', entries, name, ARGV[2] .. '\n' .. text)
    redis.call('HDEL', KEYS[4], retired_field)
  elseif kind == 'retire' then
    local entry = redis.call('HGET', entries, name)
    if entry then
      redis.call('HSET', KEYS[4], retired_field, ARGV[3] .. string.match(entry, '\n.*$'))
      redis.call('HDEL', entries, name)
    end
  else
    redis.call('HDEL', KEYS[4], retired_field)
  end
  next_arg = next_arg + 4
end
for event = next_arg, #ARGV do
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[5], '*', 'event', ARGV[event])
end
-- Without the permission to publish, replicas find the change by polling the version.
redis.pcall('PUBLISH', ARGV[4], ARGV[2])
return 1
