-- Starts the chat of a service, unless it was started.
-- KEYS    1 svc:{id}   2 chat:{id}   3 own:{id}   if a webhook has an event: 4 events:{id}
-- ARGV    1..6 as in chats.lua   7 ms that own outlives the service   8 field in own   9.. field, value ... of chat:{id}
-- returns as in chats.lua | {0} no such service | {4} nothing changed: call again with all keys
-- cost    O(1)
local service = redis.call('HMGET', KEYS[1], '_end', '_service', '_hook')
local expires_at = service[1]
if not expires_at or redis.call('HEXISTS', KEYS[3], '_over') == 1 then
  return {0}
end
if load_chat() then
  must_list = 1
  if chat.ended ~= '1' then
    see_client()
  end
  return view(0, false)
end
definition, hook, outbox = service[2], service[3] or '', KEYS[4]
if not outbox and string.find(hook, '^[^p]*s') then
  return {4}
end
-- `own` first: the cleanup releases resources in it that have no service.
redis.call('HSET', KEYS[3], ARGV[8], '')
redis.call('PEXPIREAT', KEYS[3], format_millis(expires_at + ARGV[7]))
for i = 9, #ARGV, 2 do
  set(ARGV[i], ARGV[i + 1])
end
local now = format_millis(server_now)
for name, value in pairs({
  started = now, last_at = now, last = '0', ended = '0', members = '', typing = '0', first_answer = '', present = '0',
  seen = now, refreshed = '0', listed = now
}) do
  set(name, value)
end
see_client()
add_event('s', 'chat.started', chat.session, {position = 1, party = 'CLIENT'},
  {nickname = chat.nickname, subject = chat.subject})
save()
redis.call('PEXPIREAT', KEYS[2], expires_at)
return view(0, false)
