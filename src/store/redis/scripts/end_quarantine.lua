-- Ends the quarantine of a number.
-- KEYS    1..9 as in bookings.lua   10 quarantined, as in quarantine_number.lua
-- ARGV    1 subscriber   2 'exclusive', 'round_robin' or 'random'
-- returns 1 | 0 it is not quarantined
-- cost    O(log n)
local subscriber, quarantined = ARGV[1], KEYS[10]
local number, score = string.match(redis.call('HGET', quarantined, subscriber) or '', '^(.-)\n(.-)\n')
if not number then
  return 0
end
redis.call('HSET', numbers, number, subscriber)
-- The release of its booking makes an exclusive number free.
if ARGV[2] ~= 'exclusive' or not newest_entry('n\n' .. subscriber) then
  redis.call('ZADD', free, 'NX', score ~= '' and score or server_now, number)
end
redis.call('HDEL', quarantined, subscriber)
return 1
