-- Decides permanently that a service has ended, and returns its resources.
-- KEYS    1 svc:{id}   2 own:{id}
-- ARGV    1 now (ms)
-- returns {1, since (ms), field, ...} it has ended, detected at that time, and these are its resources; from
--         now on create.lua, register_owned.lua and attach_session.lua reject the id | {0, expiration (ms)}
--         it is active
-- cost    O(resources)
local offset = clock_offset(ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 1 then
  local expires_at = redis.call('HGET', KEYS[1], '_end')
  return {0, expires_at and format_millis(expires_at - offset)}
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  return {1, ARGV[1]}
end
local since = redis.call('HGET', KEYS[2], '_over')
if not since or since == '' then
  since = format_millis(server_now)
end
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes.
redis.call('HDEL', KEYS[2], '_over')
redis.call('HSET', KEYS[2], '_over', since)
local reply = {1, format_millis(since - offset)}
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  reply[#reply + 1] = field
end
return reply
