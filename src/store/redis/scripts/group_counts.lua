-- Counts what a group consists of, at one moment.
-- KEYS  1..8 as in bookings.lua
-- gives {1 if it was filled, numbers, free numbers, bookings by end, bookings, entries of the index, codes,
--       how many of some bookings have a code that is not among the codes}
-- cost  O(log n)
local uncoded = 0
for _, id in ipairs(redis.call('ZRANGE', booked, 0, 19)) do
  local b = booking_of(id)
  if b and b.code ~= '' and redis.call('HEXISTS', codes, joined(b.subscriber, b.code)) == 0 then
    uncoded = uncoded + 1
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
  uncoded,
}
