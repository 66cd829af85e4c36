-- Counts the entries of a group atomically.
-- KEYS    1..9 as in bookings.lua   10 quarantined, as in quarantine_number.lua
-- returns {1 if it has been synchronized, numbers, free numbers, bookings by expiration, bookings, index
--         entries, codes, sampled bookings whose code is missing in the codes, quarantined numbers}
-- cost    O(log n)
local missing_codes = 0
for _, id in ipairs(redis.call('ZRANGE', booked, 0, 19)) do
  local booking = read_booking(id)
  if booking and booking.code ~= '' and redis.call('HEXISTS', codes, booking.subscriber .. '\n' .. booking.code) == 0 then
    missing_codes = missing_codes + 1
  end
end
return {
  redis.call('EXISTS', version),
  redis.call('HLEN', numbers),
  redis.call('ZCARD', free),
  redis.call('ZCARD', booked),
  redis.call('HLEN', bookings),
  redis.call('ZCARD', index),
  redis.call('HLEN', codes),
  missing_codes,
  redis.call('HLEN', KEYS[10]),
}
