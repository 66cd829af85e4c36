-- Moves the end of bookings with that of their service, never beyond what each may hold at most.
-- KEYS  1..8 as in bookings.lua
-- ARGV  1 now (ms)   2 end of the service (ms)   3.. bookings
-- gives 1
-- cost  O(log n) for each
local ends = ARGV[2] + ahead_of(ARGV[1])
for i = 3, #ARGV do
  local b = booking_of(ARGV[i])
  if b then
    redis.call('ZADD', booked, instant(math.min(ends, tonumber(b.longest))), ARGV[i])
  end
end
return 1
