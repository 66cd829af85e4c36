-- Ends a service. What it held outside its hash is given back by the clean-up.
-- KEYS  1 svc:{id}
-- ARGV  1 '' or the claim that was released already
-- gives {1} ended | {0} no such service | {4, claim} nothing was changed: release this claim first
-- cost  O(1), the memory is freed in the background
local held = redis.call('HMGET', KEYS[1], '_service', '_claim')
if not held[1] then
  return {0}
end
if held[2] and held[2] ~= ARGV[1] then
  return {4, held[2]}
end
redis.call('UNLINK', KEYS[1])
return {1}
