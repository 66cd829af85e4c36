-- Gives numbers back: of the bookings named, and of those that have run out.
-- KEYS  1..8 as in bookings.lua
-- ARGV  1 how many that have run out at most   2.. bookings
-- gives how many numbers came back
-- cost  O(log n) for each; what came back before comes back no second time
local now, count = server_now, 0
for i = 2, #ARGV do
  if release(ARGV[i], now) then
    count = count + 1
  end
end
return count + reclaim(now, ARGV[1])
