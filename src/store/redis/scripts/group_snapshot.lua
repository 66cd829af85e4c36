-- Reads a consistent snapshot of a group. For operators: it reads all entries.
-- KEYS    1..9 as in bookings.lua
-- returns {numbers, free numbers, bookings with their expiration (ms), bookings with their texts}
-- cost    O(numbers and bookings of the group)
return {
  redis.call('HKEYS', numbers),
  redis.call('ZRANGE', free, 0, -1),
  redis.call('ZRANGE', booked, 0, -1, 'WITHSCORES'),
  redis.call('HGETALL', bookings),
}
