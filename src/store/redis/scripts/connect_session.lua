-- Begins a connect of a Bayeux session, or reads the session again for one.
-- KEYS    1, 2 as in comet.lua
-- ARGV    1..3 as in comet.lua   4 generation of the connect, '' for a new one
--         for a new one: 5 the batch before was 'received' | 'lost' | number of the last batch received
--         6 ms that it waits   7 ttl after that (ms)
-- returns {1, generation, ack, batch, 1 if subscribed else 0, {id, position received, ...}} | {0} no such session
--         | {2} a later connect has replaced this one
-- cost    O(chats of the user)
local session = load_session()
if not session then
  return {0}
end
local is_new = ARGV[4] == ''
if not is_new and session.generation ~= ARGV[4] then
  return {2}
end
local user = read(KEYS[1])
each_chat(user, function(id)
  if not session['chat:' .. id] then
    session['chat:' .. id] = '0'
    redis.call('HSET', KEYS[2], 'chat:' .. id, '0')
  end
end)
if is_new then
  if tonumber(session.waits) > server_now then
    signal()
  end
  local is_received = ARGV[5] == 'received' or (tonumber(ARGV[5]) or -1) >= tonumber(session.batch)
  each_chat(session, function(id, value)
    local received, sent, ends = parse_chat(value)
    if not sent then
      return
    end
    local field = 'chat:' .. id
    if is_received and ends then
      session[field] = false
      redis.call('HDEL', KEYS[1], field)
      redis.call('HDEL', KEYS[2], field)
      return
    end
    if is_received then
      received = sent
      set_received(id, sent)
    end
    session[field] = received
    redis.call('HSET', KEYS[2], field, received)
  end)
  session.generation = format_millis(session.generation + 1)
  local waits, ttl = server_now + ARGV[6], ARGV[6] + ARGV[7]
  redis.call('HSET', KEYS[2], 'generation', session.generation, 'waits', format_millis(waits))
  redis.call('HSET', KEYS[1], 'session:' .. ARGV[3], format_millis(server_now + ttl))
  redis.call('PEXPIRE', KEYS[2], format_millis(ttl))
  extend(KEYS[1], format_millis(ttl))
end
local is_subscribed = session['sub:/_genesys'] or session['sub:/*'] or session['sub:/**']
local chats = {}
each_chat(session, function(id, value)
  if value then
    chats[#chats + 1] = id
    chats[#chats + 1] = parse_chat(value)
  end
end)
return {1, session.generation, session.ack, session.batch, is_subscribed and 1 or 0, chats}
