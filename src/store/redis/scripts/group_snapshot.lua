-- Tells a group as it is at one moment. For an operator: it reads all there is.
-- KEYS  1..8 as in bookings.lua
-- gives {numbers, free numbers, bookings with their ends (ms), bookings with what each is}
-- cost  O(numbers and bookings of the group)
return {
  redis.call('HKEYS', numbers),
  redis.call('ZRANGE', free, 0, -1),
  redis.call('ZRANGE', booked, 0, -1, 'WITHSCORES'),
  redis.call('HGETALL', bookings),
}
