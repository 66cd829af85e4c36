-- Releases the given bookings, and expired ones.
-- KEYS    1..9 as in bookings.lua
-- ARGV    1 maximum number of expired bookings   2 reason: `m` matched or `r` released   3.. bookings
-- returns {number of released bookings, number of events in the outbox that this has written}
-- cost    O(log n) per booking; a released booking is not released again
local now, count = server_now, 0
for i = 3, #ARGV do
  if release_booking(ARGV[i], now, ARGV[2]) then
    count = count + 1
  end
end
return {count + reclaim(now, ARGV[1]), written_events}
