-- Tells everything that operators made, of one moment.
-- KEYS  1 version   2 services   3 resources   4 retired
-- gives {version or '', {service, entry, ...}, {group, entry, ...}, {table/name, entry, ...}}
-- cost  O(all of it)
return {
  redis.call('GET', KEYS[1]) or '',
  redis.call('HGETALL', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
  redis.call('HGETALL', KEYS[4]),
}
