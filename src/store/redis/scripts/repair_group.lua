-- Repairs the keys of a group after Redis has lost some of them: they were evicted, or an operator deleted
-- them. Known bookings remain.
-- KEYS    1..9 as in bookings.lua
-- ARGV    1 'exclusive', 'round_robin' or 'random'
-- returns the number of added and removed entries
-- cost    O(log n) per number and booking of the group
local now, kind, changed, booked_subscribers, booked_numbers = server_now, ARGV[1], 0, {}, {}
local ids = redis.call('HKEYS', bookings)
for _, id in ipairs(ids) do
  local booking = read_booking(id)
  if not redis.call('ZSCORE', booked, id) then
    changed = changed + redis.call('ZADD', booked, booking.max_until, id)
  end
  for _, entry in ipairs({index_entries(booking)}) do
    changed = changed + redis.call('ZADD', index, 0, entry)
  end
  local code = booking.subscriber .. '\n' .. booking.code
  if booking.code ~= '' and redis.call('HEXISTS', codes, code) == 0 then
    changed = changed + redis.call('HSET', codes, code, id)
  end
  booked_subscribers[booking.subscriber] = true
  -- The number may have been parsed with another region.
  booked_numbers[booking.number] = true
end
for _, id in ipairs(redis.call('ZRANGE', booked, 0, -1)) do
  if redis.call('HEXISTS', bookings, id) == 0 then
    changed = changed + redis.call('ZREM', booked, id)
  end
end
for _, entry in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  if redis.call('HEXISTS', bookings, string.match(entry, '[^\n]*$')) == 0 then
    changed = changed + redis.call('ZREM', index, entry)
  end
end
local code_entries = redis.call('HGETALL', codes)
for i = 1, #code_entries, 2 do
  if redis.call('HEXISTS', bookings, code_entries[i + 1]) == 0 then
    changed = changed + redis.call('HDEL', codes, code_entries[i])
  end
end
local all_numbers = redis.call('HGETALL', numbers)
for i = 1, #all_numbers, 2 do
  if kind ~= 'exclusive' or not (booked_subscribers[all_numbers[i + 1]] or booked_numbers[all_numbers[i]]) then
    changed = changed + redis.call('ZADD', free, 'NX', now, all_numbers[i])
  end
end
return changed
