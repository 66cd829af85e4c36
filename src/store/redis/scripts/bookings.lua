-- What the scripts about bookings share; put in front of each of them.
-- KEYS  of one group, in this order:
--       1 free      zset  number by when it was last given back or handed out (ms); all but held ones
--       2 numbers   hash  number -> subscriber; what the group consists of
--       3 booked    zset  booking by when it runs out (ms)
--       4 bookings  hash  booking -> number, subscriber, service, code, caller, longest hold (ms)
--       5 index     zset  (lexical) n|subscriber|booking and p|subscriber|caller|booking
--       6 codes     hash  subscriber|code -> booking
--       7 version   string which set of numbers `numbers` is; absent: it was never filled. It contains
--                   `@` and the region under which the numbers were read, and while they are replaced
--                   both regions
--       8 regions   hash  region -> until when (ms) a number that was read under it may be booked
-- Parts of a value are divided by line feeds, which none of them has in it.
-- gives what the script behind it gives
-- cost  O(log n) for each booking
local free, numbers, booked, bookings, index, codes, version, regions =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8]

local function joined(...)
  return table.concat({...}, '\n')
end

-- The last entry of the index below `prefix`, or nil; with `before`, the last one before that booking.
local function newest(prefix, before)
  local from, to = '(' .. prefix .. '\n' .. (before or '\255'), '[' .. prefix .. '\n'
  return redis.call('ZREVRANGEBYLEX', index, from, to, 'LIMIT', 0, 1)[1]
end

local function booking_of(id)
  local text = redis.call('HGET', bookings, id)
  if not text then
    return nil
  end
  local b = {id = id}
  b.number, b.subscriber, b.service, b.code, b.caller, b.longest =
    string.match(text, '^(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n(.*)$')
  return b
end

-- Gives the number of a booking back. Done twice it does nothing the second time.
local function release(id, now)
  local b = booking_of(id)
  if not b then
    return false
  end
  redis.call('HDEL', bookings, id)
  redis.call('ZREM', booked, id)
  redis.call('ZREM', index, joined('n', b.subscriber, id))
  if b.caller ~= '' then
    redis.call('ZREM', index, joined('p', b.subscriber, b.caller, id))
  end
  if b.code ~= '' then
    redis.call('HDEL', codes, joined(b.subscriber, b.code))
  end
  if not newest(joined('n', b.subscriber)) and redis.call('HEXISTS', numbers, b.number) == 1 then
    redis.call('ZADD', free, now, b.number)
  end
  return true
end

-- Gives back what has run out, oldest first, at most `most`.
local function reclaim(now, most)
  local lapsed = redis.call('ZRANGEBYSCORE', booked, '-inf', now, 'LIMIT', 0, most)
  for _, id in ipairs(lapsed) do
    if not release(id, now) then
      redis.call('ZREM', booked, id)
    end
  end
  return #lapsed
end
