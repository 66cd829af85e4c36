-- Changes the expiration of a service and of all its resources.
-- KEYS    1 svc:{id}   2 own:{id}   3.. blob:{id}:<blob>, chat:{id} and events:{id}, all of own:{id}
-- ARGV    1 now (ms)   2 new expiration (ms)   3 ms that own outlives the service
--         4 '' or the idempotency key whose expiration was changed already
--         5 '' or the response to repeated creates   6 1 if this finishes the create   7 id
--         8.. fields in own of KEYS[3..], followed by those without a key
-- returns {1} changed | {0} no such service
--         {4, idempotency key or '', field, ...} nothing changed: change the expiration of this key and call
--         again with these blobs in KEYS (a script may only access the keys that it was given)
-- cost    O(binaries)
local fields = redis.call('HMGET', KEYS[1], '_service', '_claim')
if not fields[1] then
  return {0}
end
local owned, unknown = known_resources(KEYS[2], fields[2], ARGV[4], 8)
if not owned then
  return unknown
end
local offset = clock_offset(ARGV[1])
local expires_at = to_server_time(ARGV[2], offset)
local outbox, hook
for i = 3, #KEYS do
  local field = ARGV[i + 5]
  if string.sub(field, 1, 5) == 'hook:' then
    outbox, hook = KEYS[i], field
  elseif owned[field] then -- a binary replaced meanwhile retains its short TTL
    redis.call('PEXPIREAT', KEYS[i], expires_at)
  end
end
redis.call('PEXPIREAT', KEYS[2], format_millis(expires_at + ARGV[3]))
redis.call('HSET', KEYS[1], '_end', expires_at)
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], '_answer', ARGV[5])
end
redis.call('PEXPIREAT', KEYS[1], expires_at)
if not owned[hook] then
  return {1}
end
local pending, subscription, definition = string.match(hook, '^hook:(p?)(.-):(.*)$')
if pending == 'p' and ARGV[6] == '1' then
  redis.call('HSET', KEYS[2], 'hook:' .. subscription .. ':' .. definition, '')
  redis.call('HDEL', KEYS[2], hook)
  redis.call('HSET', KEYS[1], '_hook', subscription)
  if string.find(subscription, 'c', 1, true) then
    write_created_event(outbox, KEYS[1], subscription, ARGV[7], definition)
  end
elseif pending == '' and ARGV[6] == '0' and string.find(subscription, 'x', 1, true) then
  write_service_event(outbox, 'service.expiration_updated', ARGV[7], definition, time[1] .. '.' .. time[2],
    {expires_at = tonumber(expires_at)})
end
return {1}
