-- Removes a booking from the resources of a service that was not created.
-- KEYS    1 svc:{id}   2 own:{id}
-- ARGV    1 field
-- returns 1 removed: create.lua rejects the booking | 0 the service exists; nothing changed
-- cost    O(1)
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
return 1
