-- Ends the quarantine of a number.
-- KEYS    1..9 as in bookings.lua   10 quarantined, as in quarantine_number.lua
-- ARGV    1 subscriber   2 'exclusive', 'round_robin' or 'random'
-- returns 1 | 0 it is not quarantined
-- cost    O(log n); O(bookings) if the number was not free when it was quarantined
local subscriber, quarantined = ARGV[1], KEYS[10]
local number, score = string.match(redis.call('HGET', quarantined, subscriber) or '', '^(.-)\n(.-)\n')
if not number then
  return 0
end

-- Whether the number has a booking. It may have been made with another region, under another subscriber.
local function is_booked()
  if newest_entry('n\n' .. subscriber) then
    return true
  end
  for _, id in ipairs(score == '' and redis.call('HKEYS', bookings) or {}) do
    if read_booking(id).number == number then
      return true
    end
  end
  return false
end

redis.call('HSET', numbers, number, subscriber)
-- The release of its booking makes an exclusive number free.
if ARGV[2] ~= 'exclusive' or not is_booked() then
  redis.call('ZADD', free, 'NX', score ~= '' and score or server_now, number)
end
redis.call('HDEL', quarantined, subscriber)
return 1
