-- Removes released resources of a custom id, which may be in use again, from the list of its resources.
-- KEYS    1 own:{id}
-- ARGV    1.. the fields of the released resources
-- returns 1
-- cost    O(fields); resources that were recorded since remain
for i = 1, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[i])
end
if redis.call('HLEN', KEYS[1]) == redis.call('HEXISTS', KEYS[1], '_over') then
  redis.call('UNLINK', KEYS[1])
end
return 1
