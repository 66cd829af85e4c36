-- Decides, once for all, that a service is over, and tells what it held.
-- KEYS  1 svc:{id}   2 own:{id}
-- ARGV  1 now (ms)
-- gives {1, since (ms), field, ...} it is over, known since then, and this is to be given back; from
--       here on create.lua, register_owned.lua and attach_session.lua refuse the id | {0, end (ms)} it lives
-- cost  O(what it held)
local ahead = ahead_of(ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 1 then
  local ends = redis.call('HGET', KEYS[1], '_end')
  return {0, ends and instant(ends - ahead)}
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  return {1, ARGV[1]}
end
local since = redis.call('HGET', KEYS[2], '_over')
if not since or since == '' then
  since = instant(server_now)
end
-- Without memory Redis refuses a first write that takes some, and lets one through behind another.
redis.call('HDEL', KEYS[2], '_over')
redis.call('HSET', KEYS[2], '_over', since)
local held = {1, instant(since - ahead)}
for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
  held[#held + 1] = field
end
return held
