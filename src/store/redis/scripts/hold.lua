-- Lists what a service is about to hold, before it holds it.
-- KEYS  1 svc:{id}   2 own:{id}
-- ARGV  1 field   2 '' for a service that must live, or when a half-made one is given up (ms)
--       3 ms that own outlives that
-- gives {1, end (ms)} listed | {0} no such service
-- cost  O(1)
-- A repeat may come when the service stands already; then its own end counts.
local ends = redis.call('HGET', KEYS[1], '_end') or (ARGV[2] ~= '' and ARGV[2])
if not ends or redis.call('HEXISTS', KEYS[2], '_over') == 1 then
  return {0}
end
redis.call('HSET', KEYS[2], ARGV[1], '')
redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', ends + ARGV[3]))
return {1, ends}
