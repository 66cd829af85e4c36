-- Decides permanently that a service has ended, and returns its resources.
-- KEYS    1 svc:{id}   2 own:{id}   3 events:{id}
-- ARGV    1 now (ms)   2 id
-- returns {1, since (ms), field, ...} it has ended, detected at that time, and these are its resources; from
--         now on create.lua, register_owned.lua and attach_session.lua reject the id
--         {0, expiration (ms)} it is active | {0, expiration (ms), 1 or 0} it is, has a webhook, and 1 if it has events
-- cost    O(resources)
-- The first claim writes `service.expired`, unless delete.lua has written `service.deleted`, and marks the subscription:
-- a version that does not know webhooks may have recorded the end before. The third key is not missing more often than
-- the first one, so it delays nothing while a slot migrates.
local offset = clock_offset(ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 1 then
  local fields = redis.call('HMGET', KEYS[1], '_end', '_hook')
  local has_events = fields[2] and tostring(redis.call('EXISTS', KEYS[3]))
  return {0, fields[1] and to_server_time(fields[1], -offset) or '0', has_events}
end
local owned = redis.call('HGETALL', KEYS[2])
if #owned == 0 then
  -- Events remain if its resources were lost.
  return {1, ARGV[1], redis.call('EXISTS', KEYS[3]) == 1 and 'hook:-:' or nil}
end
local since
for i = 1, #owned, 2 do
  if owned[i] == '_over' then
    since = owned[i + 1]
  end
end
if not since then
  owned[#owned + 1] = '_over'
end
if not since or since == '' then
  since = format_millis(server_now)
end
local reply, replaced, events = {1, to_server_time(since, -offset)}, {}, {}
local changed = {'_over', since}
for i = 1, #owned, 2 do
  local field = owned[i]
  local subscription, definition = string.match(field, '^hook:([^-p].-):(.*)$')
  if subscription then
    replaced[#replaced + 1] = field
    field = 'hook:-' .. subscription .. ':' .. definition
    changed[#changed + 1] = field
    changed[#changed + 1] = ''
    if string.find(subscription, 'e', 1, true) then
      events[#events + 1] = {
        type = 'service.expired', service = ARGV[2], definition = definition, endpoint = 'services/' .. definition,
        data = {}
      }
    end
  end
  reply[#reply + 1] = field
end
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('HDEL', KEYS[2], '_over')
-- A hash that becomes empty would lose its TTL.
redis.call('HSET', KEYS[2], unpack(changed))
if #replaced > 0 then
  redis.call('HDEL', KEYS[2], unpack(replaced))
end
for _, event in ipairs(events) do
  -- No other fact: an id with a webhook is used once, and a claim that a failover undid is repeated.
  write_event(KEYS[3], ARGV[2], '', event)
end
return reply
