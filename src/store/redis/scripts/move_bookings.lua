-- Moves the end of bookings with that of their service, never beyond what each may hold at most.
-- KEYS  1..7 as in bookings.lua
-- ARGV  1 end of the service (ms)   2.. bookings
-- gives 1
-- cost  O(log n) for each
for i = 2, #ARGV do
  local b = booking_of(ARGV[i])
  if b then
    redis.call('ZADD', booked, math.min(tonumber(ARGV[1]), tonumber(b.longest)), ARGV[i])
  end
end
return 1
