-- Performs an action of a party of a chat. The embedded store has the same rules in `state/chat_record.rs`.
-- KEYS    1 svc:{id}   2 chat:{id}   if a webhook may have an event: 3 events:{id}
-- ARGV    1..6 as in chats.lua   7 action   8 user name of the agent, or 1 if the client starts typing else 0
--         9 message   10 1 if there is a message; for `agent_typing` 1 if it starts
--         for `join`: 9 nickname   10 party   11 1 if exclusive   12 1 if it replaces the other agents
--         13 maximum number of members
-- returns as in chats.lua, with the outcome 0 done | 1 the chat has ended | 2 it is full | 3 the message is too long
--         | 4 another agent is in it | 5 the agent is not in it | {0} no such service
--         | {2, {definition, backend, backend session}} the chat was not started
--         | {4} nothing changed: call again with all keys
-- cost    O(1), and the events of the reply
local service = redis.call('HMGET', KEYS[1], '_service', '_backend', '_session', '_hook')
if not service[1] then
  return {0}
end
if not load_chat() then
  return {2, {service[1], service[2], service[3]}}
end
definition, hook, outbox = service[1], service[4] or '', KEYS[3]
local action, agent, message = ARGV[7], ARGV[8], ARGV[9]
local is_client = string.sub(action, 1, 7) == 'client_'
local is_refresh = action == 'client_refresh'
local has_message = ARGV[10] == '1' and action ~= 'agent_typing' and action ~= 'join'

local function find_member()
  for i, member in ipairs(members) do
    if member.agent == agent then
      return member, i
    end
  end
end

-- No party is typing in a chat that has ended.
local function end_chat(party)
  for _, other in ipairs(members) do
    other.typing = '0'
  end
  save_members()
  set('typing', '0')
  set('ended', '1')
  has_changed = true
  add_event('g', 'chat.ended', chat.last, {position = tonumber(chat.last), party = party_names[party]}, {})
end

if chat.ended == '1' then
  list_if_due()
end
if action == 'read' or chat.ended == '1' then
  local may_do_nothing = action == 'read' or action == 'client_present' or action == 'client_timeout'
    or (is_refresh and not has_message)
  return view(may_do_nothing and 0 or 1, is_refresh)
end
local ends = action == 'client_end' or action == 'agent_end'
if not outbox and (has_message and string.find(hook, '^[^p]*t') or ends and string.find(hook, '^[^p]*g')) then
  return {4}
end
local member, member_index = find_member()
if not member and (action == 'agent_message' or action == 'agent_typing') then
  return view(5, false)
end
if has_message and #message > tonumber(chat.max_bytes) then
  return view(3, false)
end
local positions = 0
if has_message then
  -- A client that had left joins again first.
  positions = is_client and chat.present ~= '1' and 2 or 1
elseif action == 'join' then
  positions = member and 0 or 1
  for _, other in ipairs(members) do
    if other ~= member and ARGV[11] == '1' and (other.party == 'A' or other.party == ARGV[10]) then
      return view(4, false)
    end
    if other ~= member and ARGV[12] == '1' and other.party == 'A' then
      positions = positions + 1
    end
  end
  if not member and #members >= tonumber(ARGV[13]) then
    return view(2, false)
  end
elseif action == 'agent_typing' and member.typing ~= ARGV[10] then
  positions = 1
end
if positions > 0 and not has_room(positions) then
  return view(2, false)
end

if action == 'client_timeout' then
  if chat.present == '1' and has_room(1) and chat.seen + chat.timeout <= server_now then
    set('present', '0')
    set('typing', '0')
    append('L', 'C', chat.nickname, '')
  end
elseif is_client then
  see_client()
  if action == 'client_typing' then
    has_changed = set('typing', agent) or has_changed
  elseif has_message then
    set('typing', '0')
    append('M', 'C', chat.nickname, message)
  end
  if action == 'client_end' then
    if chat.present == '1' then
      append('L', 'C', chat.nickname, '')
    end
    end_chat('C')
  end
elseif action == 'join' then
  local kept = {}
  for _, other in ipairs(members) do
    if other ~= member and ARGV[12] == '1' and other.party == 'A' then
      append('L', other.party, other.nickname, '')
    else
      kept[#kept + 1] = other
    end
  end
  members = kept
  if not member then
    append('J', ARGV[10], ARGV[9], '')
    members[#members + 1] = {agent = agent, party = ARGV[10], typing = '0', nickname = ARGV[9]}
  end
  save_members()
elseif action == 'agent_message' then
  member.typing = '0'
  save_members()
  append('M', member.party, member.nickname, message)
  if chat.first_answer == '' then
    set('first_answer', format_millis(math.max(server_now - chat.started, 0)))
  end
elseif action == 'agent_typing' then
  if positions > 0 then
    member.typing = ARGV[10]
    save_members()
    append(ARGV[10] == '1' and 'T' or 'S', member.party, member.nickname, '')
  end
elseif action == 'leave' then
  if member then
    table.remove(members, member_index)
    save_members()
    append('L', member.party, member.nickname, '')
  end
elseif action == 'agent_end' then
  if member then
    append('L', member.party, member.nickname, '')
  end
  end_chat(member and member.party or '')
end
return view(0, is_refresh)
