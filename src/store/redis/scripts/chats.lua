-- Functions of the chat scripts; prepended to them.
-- KEYS    1 svc:{id}   2 chat:{id}, with the fields of `names` and the events at their positions 1, 2, ...; each event is
--         its kind, its party, the ms since the start, a line feed, the nickname, a line feed and the text. The field
--         `members` has a line per agent: user name, party, 1 if typing else 0, and nickname, separated by tabs
-- ARGV    1 position before the first event of the reply; '' for that of the last refresh   2 channel of notifications
--         3 id   4 maximum number of events in the reply   5 maximum bytes of events, if more than one
--         6 1 if the caller waits for Redis replicas before it shows events to a reader
-- returns nothing: it defines functions
-- cost    O(events in the reply)
local names = {
  'definition', 'session', 'user', 'key', 'nickname', 'subject', 'started', 'last_at', 'last', 'ended', 'members',
  'typing', 'first_answer', 'max_bytes', 'timeout', 'max_events', 'present', 'seen', 'refreshed', 'listed'
}
local chat, members, writes, has_changed = {}, {}, {}, false
local party_names = {C = 'CLIENT', A = 'AGENT', S = 'SUPERVISOR', X = 'EXTERNAL'}
-- The configured service, the subscription of its webhook, and the outbox, if there is one; and the events to be written.
local definition, hook, outbox, events = nil, '', nil, {}
-- 1 if the caller adds the chat to its list, in case it is missing there.
local must_list = 0

local function set(name, value)
  if chat[name] ~= value then
    chat[name] = value
    writes[#writes + 1] = name
    writes[#writes + 1] = value
    return true
  end
  return false
end

-- Reads the chat. Returns whether it was started.
local function load_chat()
  local values = redis.call('HMGET', KEYS[2], unpack(names))
  for i, name in ipairs(names) do
    chat[name] = values[i]
  end
  for agent, party, typing, nickname in string.gmatch(chat.members or '', '([^\t]*)\t(%u)\t(%d)\t([^\n]*)\n') do
    members[#members + 1] = {agent = agent, party = party, typing = typing, nickname = nickname}
  end
  return chat.session and true or false
end

local function save_members()
  local text = ''
  for _, member in ipairs(members) do
    text = text .. member.agent .. '\t' .. member.party .. '\t' .. member.typing .. '\t' .. member.nickname .. '\n'
  end
  set('members', text)
end

-- Whether the transcript has room for `count` more events.
local function has_room(count)
  return chat.last + count <= tonumber(chat.max_events)
end

-- Adds an event for the webhook, if it subscribed to the type with this letter; the last part of `data` is user data.
local function add_event(letter, event_type, fact, data, user_data)
  if not outbox or not string.find(hook, letter, 1, true) then
    return
  end
  if string.find(hook, 'u', 1, true) then
    for name, value in pairs(user_data) do
      data[name] = value
    end
  end
  events[#events + 1] = {event_type, fact, data}
end

-- Appends an event at the next position.
local function append(kind, party, nickname, text)
  local position = format_millis(chat.last + 1)
  local at = format_millis(math.max(server_now - chat.started, 0))
  set(position, kind .. party .. at .. '\n' .. nickname .. '\n' .. text)
  set('last', position)
  set('last_at', format_millis(server_now))
  has_changed = true
  if kind == 'M' then
    local data = {position = tonumber(position), party = party_names[party]}
    add_event('t', 'chat.message', position, data, {nickname = nickname, text = text})
  end
end

-- The lists are in another slot: a failover may have lost the entry.
local function list_if_due()
  if server_now - (chat.listed or 0) > math.min(30000, chat.timeout / 2) then
    set('listed', format_millis(server_now))
    must_list = 1
  end
end

-- Records that the client is present. If it had left, it joins again.
local function see_client()
  if chat.present ~= '1' and has_room(1) then
    set('present', '1')
    append('J', 'C', chat.nickname, '')
  end
  -- Not with every request: a write costs more than a read.
  if has_changed or server_now - chat.seen > math.min(5000, chat.timeout / 4) then
    set('seen', format_millis(server_now))
  end
  list_if_due()
end

-- Stores all changes with one command, so that a Redis without free memory rejects all of them, and notifies listeners
-- afterwards. Changes that no listener sees are not worth an error.
local function save()
  if #writes == 0 then
    return
  end
  if has_changed then
    redis.call('HSET', KEYS[2], unpack(writes))
    -- Without the right to publish, listeners find the change when they poll.
    redis.pcall('PUBLISH', ARGV[2], ARGV[3])
    for _, event in ipairs(events) do
      -- With the time: after a failover that lost an event, another one has its position.
      local fact = event[2] .. '\n' .. time[1] .. '.' .. time[2]
      write_service_event(outbox, event[1], ARGV[3], definition, fact, event[3])
    end
    events = {}
  else
    redis.pcall('HSET', KEYS[2], unpack(writes))
  end
  writes = {}
end

-- The reply: {1, outcome, {the first fields of `names`}, position before the events, {event, ...}, must_list}. After a
-- refresh the next one continues after these events.
local function view(outcome, is_refresh)
  save()
  local after = tonumber(ARGV[1] == '' and chat.refreshed or ARGV[1])
  local last, events, bytes = tonumber(chat.last), {}, 0
  local until_position = math.min(last, after + ARGV[4])
  local position, is_complete = after, false
  while position < until_position and not is_complete do
    local batch = {}
    for i = position + 1, math.min(position + 50, until_position) do
      batch[#batch + 1] = format_millis(i)
    end
    for _, event in ipairs(redis.call('HMGET', KEYS[2], unpack(batch))) do
      bytes = bytes + #event
      if bytes > tonumber(ARGV[5]) and #events > 0 then
        is_complete = true
        break
      end
      events[#events + 1] = event
    end
    position = position + #batch
  end
  if ARGV[6] == '1' and #events > 0 then
    -- A write, so that WAIT covers the events, which another connection may have written: otherwise a failover could lose
    -- events that a reader has seen, and give their positions to others.
    redis.pcall('HSET', KEYS[2], 'read_at', format_millis(server_now))
  end
  if is_refresh then
    set('refreshed', format_millis(math.min(last, after + #events)))
    has_changed = false
    save()
  end
  local fields = {}
  for i = 1, 15 do
    fields[i] = chat[names[i]]
  end
  return {1, outcome, fields, format_millis(after), events, must_list}
end
