-- Decides permanently that a service has ended, and returns its resources.
-- KEYS    1 svc:{id}   2 own:{id}   3 events:{id}
-- ARGV    1 now (ms)   2 id
-- returns {1, since (ms), field, ...} it has ended, detected at that time, and these are its resources; from
--         now on create.lua, register_owned.lua and attach_session.lua reject the id
--         {0, expiration (ms)} it is active | {0, expiration (ms), 1} it is, and has a webhook
-- cost    O(resources)
-- The first claim writes `service.expired`, unless delete.lua has written `service.deleted`. The third key is not missing
-- more often than the first one, so it delays nothing while a slot migrates.
local offset = clock_offset(ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 1 then
  local fields = redis.call('HMGET', KEYS[1], '_end', '_hook')
  return {0, fields[1] and format_millis(fields[1] - offset) or '0', fields[2] and '1'}
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  return {1, ARGV[1]}
end
local since = redis.call('HGET', KEYS[2], '_over')
local is_first = not since or since == ''
if is_first then
  since = format_millis(server_now)
end
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('HDEL', KEYS[2], '_over')
redis.call('HSET', KEYS[2], '_over', since)
local reply = {1, format_millis(since - offset)}
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  reply[#reply + 1] = field
  if is_first and string.sub(field, 1, 5) == 'hook:' then
    local subscription, definition = string.match(field, '^hook:([^-p].-):(.*)$')
    if subscription and string.find(subscription, 'e', 1, true) then
      write_event(KEYS[3], ARGV[2], since, {
        type = 'service.expired', service = ARGV[2], definition = definition, endpoint = 'services/' .. definition,
        data = {}
      })
    end
  end
end
return reply
