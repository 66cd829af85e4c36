-- Starts the chat of a service, unless it was started.
-- KEYS    1 svc:{id}   2 chat:{id}   3 own:{id}
-- ARGV    1..6 as in chats.lua   7 ms that own outlives the service   8 field in own   9.. field, value ... of chat:{id}
-- returns as in chats.lua | {0} no such service
-- cost    O(1)
local expires_at = redis.call('HGET', KEYS[1], '_end')
if not expires_at or redis.call('HEXISTS', KEYS[3], '_over') == 1 then
  return {0}
end
if load_chat() then
  if chat.ended ~= '1' then
    see_client()
  end
  return view(0, false)
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
  seen = now, refreshed = '0'
}) do
  set(name, value)
end
see_client()
save()
redis.call('PEXPIREAT', KEYS[2], expires_at)
return view(0, false)
