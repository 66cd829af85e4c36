-- Records a resource of a service before it is acquired.
-- KEYS    1 svc:{id}   2 own:{id}
-- ARGV    1 now (ms)   2 field   3 '' for an existing service, or the time (ms) at which a pending create is
--         abandoned   4 ms that own outlives that   5, 6 for the booking of a create that may be repeated:
--         beginning and end of the fields of its repetitions; else ''
-- returns {1, expiration (ms), field} recorded; a repetition gets the field of the first one
--         {0} no such service | {0, response} the service of a repetition exists
-- cost    O(1), for a repetition O(resources)
-- In a retry the service may exist already; then its own expiration is used.
local offset = clock_offset(ARGV[1])
local expires_at = redis.call('HGET', KEYS[1], '_end') or (ARGV[3] ~= '' and to_server_time(ARGV[3], offset))
if not expires_at or redis.call('HEXISTS', KEYS[2], '_over') == 1 then
  return {0}
end
local field, prefix, suffix = ARGV[2], ARGV[5], ARGV[6]
if suffix ~= '' then
  if redis.call('EXISTS', KEYS[1]) == 1 then
    return {0, redis.call('HGET', KEYS[1], '_answer')}
  end
  for _, existing in ipairs(redis.call('HKEYS', KEYS[2])) do
    if #existing == #field and string.sub(existing, 1, #prefix) == prefix and string.sub(existing, -#suffix) == suffix
    then
      field = existing
    end
  end
end
redis.call('HSET', KEYS[2], field, '')
redis.call('PEXPIREAT', KEYS[2], format_millis(expires_at + ARGV[4]))
return {1, to_server_time(expires_at, -offset), field}
