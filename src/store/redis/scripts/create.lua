-- Creates a complete service: its hash, its expiration and its resources.
-- KEYS    1 svc:{id}   if it has resources, a custom id or a webhook: 2 own:{id}   3.. blob:{id}:<blob>, one per binary
--         then events:{id}, if it has an event
-- ARGV    1 now (ms)   2 time of the create request (ms)   3 expiration (ms)
--         4 F, number of strings: field, value, field, value ... of svc:{id}; then F strings
--         then, only with more than one key:
--         ms that own outlives the service
--         '' or, if it has an event, the subscription of its webhook   id, if it has an event
--         1 if the id is a custom id, which may have been used before; else 0
--         N, number of fields of own; then those fields: all resources of the service
--         then the expected number of chunks per binary
-- returns 1, or with a custom id {1, field, ...}: created; the fields are the resources of its earlier use that the
--         cleanup has not released | {0, response or false} the service exists | {2} chunks of a binary are missing,
--         or the id was abandoned meanwhile and its booking released
-- cost    O(fields + blobs); nothing changes unless 1 or {1, ...}
-- With an event, clock.lua, events.lua and service_events.lua precede this script.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {0, redis.call('HGET', KEYS[1], '_answer')}
end
local offset = clock_offset(ARGV[1])
local created, expires_at = to_server_time(ARGV[2], offset), to_server_time(ARGV[3], offset)
-- First and last argument of the fields of own, which are followed by the numbers of chunks.
local subscription, id, is_custom, first, last, last_blob = '', nil, false, 1, 0, 0
local options = 4 + ARGV[4]
if KEYS[2] then
  subscription, id, is_custom = ARGV[options + 2], ARGV[options + 3], ARGV[options + 4] == '1'
  first, last = options + 6, options + 5 + ARGV[options + 5]
  last_blob = subscription == '' and #KEYS or #KEYS - 1
end
local reply = is_custom and {1} or 1
if first <= last then
  local recorded = redis.call('HMGET', KEYS[2], '_over', unpack(ARGV, first, last))
  if recorded[1] and not is_custom then
    return {2}
  end
  for i = first, last do
    if string.sub(ARGV[i], 1, 5) == 'book:' and not recorded[i - first + 2] then
      return {2}
    end
  end
end
for i = 3, last_blob do
  if redis.call('HLEN', KEYS[i]) ~= tonumber(ARGV[last + i - 2]) then
    return {2}
  end
end
if is_custom then
  for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
    if field ~= '_over' then
      reply[#reply + 1] = field
    end
  end
end
-- `own` first: the cleanup releases resources in it that have no service. A booking is recorded already.
for i = first, last do
  if string.sub(ARGV[i], 1, 5) ~= 'book:' then
    redis.call('HSET', KEYS[2], ARGV[i], '')
  end
end
redis.call('HSET', KEYS[1], '_created', created, '_end', expires_at, unpack(ARGV, 5, options))
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes; therefore the
-- expirations are last.
redis.call('PEXPIREAT', KEYS[1], expires_at)
if first <= last then
  redis.call('PEXPIREAT', KEYS[2], format_millis(expires_at + ARGV[options + 1]))
end
for i = 3, last_blob do
  redis.call('PEXPIREAT', KEYS[i], expires_at)
end
if is_custom then
  -- A cleanup of the earlier use that has begun does not concern the new resources.
  redis.call('HDEL', KEYS[2], '_over')
  -- Its revisions are larger than those of the earlier use, even if it was created in the same millisecond.
  redis.call('HSET', KEYS[1], '_rev', format_millis(time[1] * 1000000 + time[2]))
end
if subscription ~= '' then
  local definition = redis.call('HGET', KEYS[1], '_service')
  write_created_event(KEYS[#KEYS], KEYS[1], subscription, id, definition)
end
return reply
