-- Changes the expiration of a service and of all its resources.
-- KEYS    1 svc:{id}   2 own:{id}   3.. blob:{id}:<blob>, all of own:{id}
-- ARGV    1 now (ms)   2 new expiration (ms)   3 ms that own outlives the service
--         4 '' or the idempotency key whose expiration was changed already
--         5 '' or the response to repeated creates
--         6.. fields in own of KEYS[3..], followed by those without a key
-- returns {1} changed | {0} no such service
--         {4, idempotency key or '', field, ...} nothing changed: change the expiration of this key and call
--         again with these blobs in KEYS (a script may only access the keys that it was given)
-- cost    O(binaries)
local fields = redis.call('HMGET', KEYS[1], '_service', '_claim')
if not fields[1] then
  return {0}
end
local owned, unknown = known_resources(KEYS[2], fields[2], ARGV[4], 6)
if not owned then
  return unknown
end
local expires_at = ARGV[2] + clock_offset(ARGV[1])
for i = 3, #KEYS do
  if owned[ARGV[i + 3]] then -- a binary replaced meanwhile retains its short TTL
    redis.call('PEXPIREAT', KEYS[i], format_millis(expires_at))
  end
end
redis.call('PEXPIREAT', KEYS[2], format_millis(expires_at + ARGV[3]))
redis.call('HSET', KEYS[1], '_end', format_millis(expires_at))
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], '_answer', ARGV[5])
end
redis.call('PEXPIREAT', KEYS[1], format_millis(expires_at))
return {1}
