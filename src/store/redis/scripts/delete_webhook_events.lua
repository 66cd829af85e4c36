-- Deletes the pending events and the dead letters of an endpoint. Its totals remain.
-- KEYS    1..9 as in webhooks.lua
-- returns their number
-- cost    O(1); the memory is freed in the background
local count = redis.call('ZCARD', pending) + redis.call('ZCARD', dead)
redis.call('UNLINK', events, order, due, attempts, pending, dead, dead_letters)
return count
