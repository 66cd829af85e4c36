-- Reads a consistent snapshot of the stored catalog.
-- KEYS    1 version   2 services   3 resources   4 retired
-- returns {version or '', {service, entry, ...}, {group, entry, ...}, {table/name, entry, ...}}
-- cost    O(entries)
return {
  redis.call('GET', KEYS[1]) or '',
  redis.call('HGETALL', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
  redis.call('HGETALL', KEYS[4]),
}
