-- Releases the given bookings, and expired ones.
-- KEYS    1..9 as in bookings.lua
-- ARGV    1 maximum number of expired bookings   2 reason: `m` matched or `r` released   3.. bookings
-- returns {number of released bookings, number of events in the outbox that this has written}
-- cost    O(log n) per booking; a released booking is not released again
local count = 0
for i = 3, #ARGV do
  if release_booking(ARGV[i], ARGV[2]) then
    count = count + 1
  end
end
if ARGV[1] ~= '0' then
  count = count + release_expired(ARGV[1])
end
return {count, written_events}
