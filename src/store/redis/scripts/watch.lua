-- Records in the field `_watch` of a service that its storage is watched: the time until then, a space, and the channel.
-- KEYS    1 svc:{id}
-- ARGV    1 time for which it is watched (ms)   2 channel of notifications
-- returns 1 | 0 no such service
-- cost    O(1)
-- clock.lua precedes this script.
local fields = redis.call('HMGET', KEYS[1], '_end', '_watch')
if not fields[1] then
  return 0
end
local watched_until = server_now + ARGV[1]
if tonumber(string.match(fields[2] or '0', '^%d+')) < watched_until then
  redis.call('HSET', KEYS[1], '_watch', string.format('%.0f %s', watched_until, ARGV[2]))
end
return 1
