-- Lists what a service is about to hold, before it holds it.
-- KEYS  1 svc:{id}   2 own:{id}
-- ARGV  1 now (ms)   2 field   3 '' for a service that must live, or when a half-made one is given up (ms)
--       4 ms that own outlives that
-- gives {1, end (ms)} listed | {0} no such service
-- cost  O(1)
-- A repeat may come when the service stands already; then its own end counts.
local ahead = ahead_of(ARGV[1])
local ends = redis.call('HGET', KEYS[1], '_end') or (ARGV[3] ~= '' and ARGV[3] + ahead)
if not ends or redis.call('HEXISTS', KEYS[2], '_over') == 1 then
  return {0}
end
redis.call('HSET', KEYS[2], ARGV[2], '')
redis.call('PEXPIREAT', KEYS[2], instant(ends + ARGV[4]))
return {1, instant(ends - ahead)}
