-- Reads the state of an endpoint.
-- KEYS    1..9 as in webhooks.lua
-- returns {pending events, time of the oldest (ms), dead letters, {delivered, failed, dead, success, failure,
--         error, stopped}}, see webhooks.lua
-- cost    O(1)
return {
  redis.call('ZCARD', pending),
  redis.call('ZRANGE', pending, 0, 0, 'WITHSCORES')[2] or false,
  redis.call('ZCARD', dead),
  redis.call('HMGET', state, 'delivered', 'failed', 'dead', 'success', 'failure', 'error', 'stopped'),
}
