-- Releases bookings; prepended, after booking_events.lua, to the scripts that do.
-- KEYS    1..9 as in bookings.lua
-- returns nothing: it defines functions
-- cost    O(log n) per booking

-- Releases the number of a booking and returns the booking, or nil if it does not exist. `reason` is the letter of its
-- event; an expired booking that was not matched has lapsed.
local function release_booking(id, reason)
  local booking = read_booking(id)
  if not booking then
    return nil
  end
  if reason == 'r' and booking.hooks ~= '' and tonumber(redis.call('ZSCORE', booked, id) or 0) <= server_now then
    reason = 'l'
  end
  local number, subscriber = booking.number, booking.subscriber
  redis.call('HDEL', bookings, id)
  redis.call('ZREM', booked, id)
  redis.call('ZREM', index, index_entries(booking))
  if booking.code ~= '' then
    redis.call('HDEL', codes, subscriber .. '\n' .. booking.code)
  end
  -- A shared number remains free while it is booked.
  if not redis.call('ZSCORE', free, number) and not newest_entry('n\n' .. subscriber)
    and redis.call('HEXISTS', numbers, number) == 1
  then
    redis.call('ZADD', free, server_now, number)
  end
  if booking.hooks ~= '' then
    write_number_events(reason, booking.hooks, id, booking)
  end
  return booking
end

-- Releases expired bookings, oldest first, at most `limit`. Returns their number.
local function release_expired(limit)
  local expired = redis.call('ZRANGEBYSCORE', booked, '-inf', server_now, 'LIMIT', 0, limit)
  for _, id in ipairs(expired) do
    if not release_booking(id, 'l') then
      redis.call('ZREM', booked, id)
    end
  end
  return #expired
end
