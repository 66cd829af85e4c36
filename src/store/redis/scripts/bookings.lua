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
local free, numbers, booked, bookings, index, codes, version, regions, outbox =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
-- The number of events that this script has written.
local written_events = 0

local function join_lines(...)
  return table.concat({...}, '\n')
end

-- Returns the last index entry with `prefix`, or nil; with `before`, the last one before that booking.
local function newest_entry(prefix, before)
  local max, min = '(' .. prefix .. '\n' .. (before or '\255'), '[' .. prefix .. '\n'
  return redis.call('ZREVRANGEBYLEX', index, max, min, 'LIMIT', 0, 1)[1]
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

local function save_booking(booking)
  local text = join_lines(booking.number, booking.subscriber, booking.service, booking.code, booking.caller,
    booking.max_until)
  if booking.hooks ~= '' then
    text = join_lines(text, booking.hooks)
  end
  redis.call('HSET', bookings, booking.id, text)
end

-- Writes an event of the type with this letter for each endpoint that subscribed to it. `may_write` decides per endpoint.
local function write_number_events(letter, hooks, fact, booking, may_write)
  local event_types = {
    b = 'number.booked', m = 'number.matched', r = 'number.released', l = 'number.lapsed', o = 'number.exhausted'
  }
  local all = cjson.decode(hooks)
  for endpoint, subscription in pairs({
    ['resources/' .. all.group] = all.of_group, ['services/' .. all.definition] = all.of_definition
  }) do
    if string.find(subscription, letter, 1, true) and (not may_write or may_write(endpoint)) then
      local data = {group = all.group, number = booking.number}
      if booking.code and booking.code ~= '' then
        data.code = booking.code
      end
      if booking.caller and booking.caller ~= '' and string.find(subscription, 'u', 1, true) then
        data.caller = booking.caller
      end
      write_event(outbox, all.group, fact, {
        type = event_types[letter], service = booking.service, definition = all.definition, endpoint = endpoint, data = data
      })
      written_events = written_events + 1
    end
  end
end

-- Releases the number of a booking. Idempotent. `reason` is the letter of its event; an expired booking that was not
-- matched has lapsed.
local function release_booking(id, now, reason)
  local booking = read_booking(id)
  if not booking then
    return false
  end
  if reason == 'r' and booking.hooks ~= '' and tonumber(redis.call('ZSCORE', booked, id) or 0) <= now then
    reason = 'l'
  end
  redis.call('HDEL', bookings, id)
  redis.call('ZREM', booked, id)
  redis.call('ZREM', index, join_lines('n', booking.subscriber, id))
  if booking.caller ~= '' then
    redis.call('ZREM', index, join_lines('p', booking.subscriber, booking.caller, id))
  end
  if booking.code ~= '' then
    redis.call('HDEL', codes, join_lines(booking.subscriber, booking.code))
  end
  if not newest_entry(join_lines('n', booking.subscriber)) and redis.call('HEXISTS', numbers, booking.number) == 1 then
    redis.call('ZADD', free, now, booking.number)
  end
  if booking.hooks ~= '' then
    write_number_events(reason, booking.hooks, id, booking)
  end
  return true
end

-- Releases expired bookings, oldest first, at most `limit`.
local function reclaim(now, limit)
  local expired = redis.call('ZRANGEBYSCORE', booked, '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(expired) do
    if not release_booking(id, now, 'l') then
      redis.call('ZREM', booked, id)
    end
  end
  return #expired
end
