-- Writes webhook events to an outbox; prepended to the scripts of changes that have events.
-- KEYS    those of the script
-- returns nothing: it defines a function
-- cost    O(1) per event
-- An outbox is a list of records, the oldest first: JSON objects as in `webhooks/record.rs`. The script writes them with
-- the change that they report, after its first write that Redis rejects if memory is full. Subscriptions are codes: a
-- letter for each type, and `u` for user data; see `model/webhook.rs`.

-- Writes an event of `event.type` about `subject` to the outbox; `fact` distinguishes it from others of the type. Events
-- are relayed within seconds; if that fails for a long time, each new event replaces the oldest one. The member `dropped`
-- of a record is the number of events that were dropped for it.
local function write_event(outbox, subject, fact, event)
  event.id = 'evt_' .. redis.sha1hex(event.type .. '\n' .. subject .. '\n' .. fact)
  event.time = server_now
  local record = cjson.encode(event)
  if redis.call('RPUSH', outbox, record) > 100000 then
    local oldest = redis.call('LRANGE', outbox, 0, 0)[1]
    local is_readable, dropped = pcall(cjson.decode, oldest)
    event.dropped = 1 + (is_readable and dropped.dropped or 0)
    redis.call('LREM', outbox, 1, oldest)
    redis.call('LREM', outbox, -1, record)
    redis.call('RPUSH', outbox, cjson.encode(event))
  end
end
