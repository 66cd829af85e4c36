-- Notes that a service runs on a backend, and lists its session as what it holds.
-- KEYS  1 svc:{id}   2 own:{id}
-- ARGV  1 field in own   2 ms that own outlives the service   3.. field, value ... of svc:{id}
-- gives {1} noted | {0} no such service
-- cost  O(1)
local ends = redis.call('HGET', KEYS[1], '_end')
if not ends or redis.call('HEXISTS', KEYS[2], '_over') == 1 then
  return {0}
end
-- `own` first: what is listed there and has no service is what the clean-up gives back.
redis.call('HSET', KEYS[2], ARGV[1], '')
redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', ends + ARGV[2]))
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return {1}
