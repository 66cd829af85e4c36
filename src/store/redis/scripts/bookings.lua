-- Common functions of the booking scripts; prepended to each of them.
-- KEYS    of one group, in this order:
--         1 free      zset  number by time of last release or allocation (ms); all except booked ones
--         2 numbers   hash  number -> subscriber; the numbers of the group
--         3 booked    zset  booking by expiration (ms)
--         4 bookings  hash  booking -> number, subscriber, service, code, caller, latest expiration (ms); if an endpoint
--                           subscribed to its events, also the subscriptions, a JSON object: `group`, `definition`, and
--                           the codes `of_group` and `of_definition`
--         5 index     zset  (lexical) n|subscriber|booking and p|subscriber|caller|booking
--         6 codes     hash  subscriber|code -> booking
--         7 version   string version of `numbers`; absent if the group has no numbers yet. It contains
--                     `@` and the region that the numbers were parsed with, and both regions while
--                     the numbers are replaced
--         8 regions   hash  region -> time (ms) until which a number parsed with it may be booked
--         9 events    list  the outbox, see events.lua
-- Parts of a value are separated by line feeds, which the parts do not contain.
-- returns the result of the script after it
-- cost    O(log n) per booking
local free, numbers, booked, bookings, index, codes, version, regions, outbox = unpack(KEYS)

-- Returns the last index entry with `prefix`, or nil; with `before`, the last one before that booking.
local function newest_entry(prefix, before)
  return redis.call('ZREVRANGEBYLEX', index, '(' .. prefix .. '\n' .. (before or '\255'), '[' .. prefix .. '\n', 'LIMIT',
    0, 1)[1]
end

local function read_booking(id)
  local text = redis.call('HGET', bookings, id)
  if not text then
    return nil
  end
  local booking = {id = id}
  booking.number, booking.subscriber, booking.service, booking.code, booking.caller, booking.max_until, booking.hooks =
    string.match(text, '^(.-)\n(.-)\n(.-)\n(.-)\n(.-)\n([^\n]*)\n?(.*)$')
  return booking
end

-- Returns the entries of a booking in the index: that of its number and, if it has one, that of its caller.
local function index_entries(booking)
  local of_number = 'n\n' .. booking.subscriber .. '\n' .. booking.id
  if booking.caller == '' then
    return of_number
  end
  return of_number, 'p\n' .. booking.subscriber .. '\n' .. booking.caller .. '\n' .. booking.id
end

local function save_booking(booking)
  local text = booking.number .. '\n' .. booking.subscriber .. '\n' .. booking.service .. '\n' .. booking.code .. '\n' ..
    booking.caller .. '\n' .. booking.max_until
  if booking.hooks ~= '' then
    text = text .. '\n' .. booking.hooks
  end
  redis.call('HSET', bookings, booking.id, text)
end
