-- Releases the given bookings, and expired ones.
-- KEYS    1..8 as in bookings.lua
-- ARGV    1 maximum number of expired bookings   2.. bookings
-- returns the number of released bookings
-- cost    O(log n) per booking; a released booking is not released again
local now, count = server_now, 0
for i = 2, #ARGV do
  if release_booking(ARGV[i], now) then
    count = count + 1
  end
end
return count + reclaim(now, ARGV[1])
