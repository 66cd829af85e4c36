-- Changes the expiration of bookings to that of their service, limited to the latest expiration of each.
-- KEYS    1..9 as in bookings.lua
-- ARGV    1 now (ms)   2 expiration of the service (ms)   3.. bookings
-- returns 1
-- cost    O(log n) per booking
local expires_at = to_server_time(ARGV[2], clock_offset(ARGV[1]))
for i = 3, #ARGV do
  local booking = read_booking(ARGV[i])
  if booking then
    local is_later = tonumber(expires_at) > tonumber(booking.max_until)
    redis.call('ZADD', booked, is_later and booking.max_until or expires_at, ARGV[i])
  end
end
return 1
