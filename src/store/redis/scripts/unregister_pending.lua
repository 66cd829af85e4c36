-- Removes a booking of a create from the resources of its service, unless the service exists with it.
-- KEYS    1 svc:{id}   2 own:{id}
-- ARGV    1 field
-- returns 1 the caller must release the booking: no service has it, and create.lua rejects it
--         0 the service has the booking; nothing changed
-- cost    O(1)
if redis.call('EXISTS', KEYS[1]) == 1 then
  -- Without the field, a match has released the booking, and a repetition may have made it again.
  return 1 - redis.call('HEXISTS', KEYS[2], ARGV[1])
end
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
