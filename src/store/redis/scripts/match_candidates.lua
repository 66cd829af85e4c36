-- Reads the newest bookings of numbers. Changes nothing: expired bookings are returned too.
-- KEYS    1..9 as in bookings.lua
-- ARGV    1 maximum number of bookings per number   2.. subscribers
-- returns {now (ms), 1 if there are more bookings, regions of booked numbers, bookings}; a booking is its id, its
--         expiration (ms) and its text, newest first for each number
-- cost    O(log n + returned bookings)
local limit, has_more, active_regions, found = tonumber(ARGV[1]), 0, {}, {}
local recorded = redis.call('HGETALL', regions)
for i = 1, #recorded, 2 do
  if tonumber(recorded[i + 1]) > server_now then
    active_regions[#active_regions + 1] = recorded[i]
  end
end
for i = 2, #ARGV do
  local prefix = 'n\n' .. ARGV[i] .. '\n'
  local entries = redis.call('ZREVRANGEBYLEX', index, '(' .. prefix .. '\255', '[' .. prefix, 'LIMIT', 0, limit + 1)
  if #entries > limit then
    has_more = 1
    entries[#entries] = nil
  end
  for _, entry in ipairs(entries) do
    local id = string.sub(entry, #prefix + 1)
    local text = redis.call('HGET', bookings, id)
    if text then
      found[#found + 1] = id
      found[#found + 1] = redis.call('ZSCORE', booked, id) or '0'
      found[#found + 1] = text
    end
  end
end
return {format_millis(server_now), has_more, active_regions, found}
