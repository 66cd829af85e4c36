-- Changes what operators made, all of it or nothing, writes the history and tells all replicas.
-- KEYS  1 version   2 services   3 resources   4 retired   5 history
-- ARGV  1 the version it is made from or ''   2 the version from then on   3 now (ms)
--       4 the channel that tells of it   5 events that the history keeps, about
--       6 number of steps   7.. for each: 'put', 'retire' or 'forget', 'services' or 'resources', name,
--       text ...   then events
-- gives 1 done | 0 there is another version; nothing was changed
-- cost  O(steps and events)
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
local tables = {services = KEYS[2], resources = KEYS[3]}
redis.call('SET', KEYS[1], ARGV[2])
local first = 7
for step = 1, ARGV[6] do
  local kind, name, text = ARGV[first], ARGV[first + 2], ARGV[first + 3]
  local entries, place = tables[ARGV[first + 1]], ARGV[first + 1] .. '/' .. name
  if kind == 'put' then
    redis.call('HSET', entries, name, ARGV[2] .. '\n' .. text)
    redis.call('HDEL', KEYS[4], place)
  elseif kind == 'retire' then
    local said = redis.call('HGET', entries, name)
    if said then
      redis.call('HSET', KEYS[4], place, ARGV[3] .. string.match(said, '\n.*$'))
      redis.call('HDEL', entries, name)
    end
  else
    redis.call('HDEL', KEYS[4], place)
  end
  first = first + 4
end
for event = first, #ARGV do
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[5], '*', 'event', ARGV[event])
end
-- Who may not publish lives by the versions that replicas look at.
redis.pcall('PUBLISH', ARGV[4], ARGV[2])
return 1
