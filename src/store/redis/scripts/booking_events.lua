-- Writes events about bookings; prepended, after events.lua and bookings.lua, to the scripts that have them.
-- KEYS    1..9 as in bookings.lua
-- returns nothing: it defines functions
-- cost    O(1) per event
-- The number of events that this script has written.
local written_events = 0

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
