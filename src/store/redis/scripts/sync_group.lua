-- Puts numbers into a group, or takes them out of it.
-- KEYS  1..8 as in bookings.lua
-- ARGV  1 'in' or 'out'   2.. the version that they belong to, then number, subscriber, place in the
--       group ...; or number ... to take out
-- gives 1
-- cost  O(log n) for each, and for each booking of a number that is written otherwise from now on
--       A number that is held stays held; one taken out comes back no more.
if ARGV[1] == 'out' then
  for i = 2, #ARGV do
    redis.call('HDEL', numbers, ARGV[i])
    redis.call('ZREM', free, ARGV[i])
  end
  return 1
end
-- Until all are in, numbers read under the region before and under this one are handed out.
local before, region = redis.call('GET', version), string.match(ARGV[2], '@%u%u$')
if before and region and not string.find(before, region, 1, true) then
  redis.call('SET', version, before .. region)
end
for i = 3, #ARGV, 3 do
  local number, subscriber = ARGV[i], ARGV[i + 1]
  if redis.call('HSET', numbers, number, subscriber) == 1 then
    local prefix = joined('n', subscriber)
    if not newest(prefix) then
      redis.call('ZADD', free, 'NX', ARGV[i + 2], number)
    end
    -- Whoever holds it gives it back as it is written now.
    local held = redis.call('ZRANGEBYLEX', index, '[' .. prefix .. '\n', '(' .. prefix .. '\n\255')
    for _, entry in ipairs(held) do
      local b = booking_of(string.match(entry, '[^\n]*$'))
      local text = joined(number, subscriber, b.service, b.code, b.caller, b.longest)
      redis.call('HSET', bookings, b.id, text)
    end
  end
end
return 1
