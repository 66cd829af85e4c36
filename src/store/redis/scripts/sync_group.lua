-- Adds numbers to a group, or removes them.
-- KEYS    1..9 as in bookings.lua
-- ARGV    1 'add' or 'remove'   2.. their version, then number, subscriber, position in the group ...; or
--         the numbers to remove
-- returns 1
-- cost    O(log n) per number, and per booking of a number whose spelling changes
--         Existing bookings remain; a removed number does not become free again.
if ARGV[1] == 'remove' then
  for i = 2, #ARGV do
    redis.call('HDEL', numbers, ARGV[i])
    redis.call('ZREM', free, ARGV[i])
  end
  return 1
end
-- Until all numbers are added, numbers parsed with the old and the new region may be booked.
local old_version, region = redis.call('GET', version), string.match(ARGV[2], '@%u%u$')
if old_version and region and not string.find(old_version, region, 1, true) then
  redis.call('SET', version, old_version .. region)
end
for i = 3, #ARGV, 3 do
  local number, subscriber = ARGV[i], ARGV[i + 1]
  if redis.call('HSET', numbers, number, subscriber) == 1 then
    local prefix = 'n\n' .. subscriber
    if not newest_entry(prefix) then
      redis.call('ZADD', free, 'NX', ARGV[i + 2], number)
    end
    -- Existing bookings release the number in its current spelling.
    local entries = redis.call('ZRANGEBYLEX', index, '[' .. prefix .. '\n', '(' .. prefix .. '\n\255')
    for _, entry in ipairs(entries) do
      local booking = read_booking(string.match(entry, '[^\n]*$'))
      booking.number, booking.subscriber = number, subscriber
      save_booking(booking)
    end
  end
end
return 1
