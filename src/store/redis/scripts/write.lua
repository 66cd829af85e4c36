-- Changes the storage of an active service atomically, and its expiration if there is a TTL.
-- KEYS    1 svc:{id}   if there are new binaries, or other resources with a TTL: 2 own:{id}
--         3.. blob:{id}:<blob>, the new ones and then, with a TTL, all others of own:{id}
-- ARGV    1 maximum number of keys
--         S, number of field/value strings to set; then S strings
--         B, number of descriptor fields; then B fields `_bin:<name>`, one per name touched
--         then, only with a condition, a TTL, a field to delete or more than one key:
--         '' or the condition: `*` if no name may exist, then the revisions of which one must be the current one, if any
--         '' or the TTL (ms)
--         '' or, with a TTL, the idempotency key whose expiration was changed already
--         ms that own outlives the service, and ms that a replaced binary remains readable
--         D, number of fields to delete; then D fields
--         N, number of new blobs; then expected chunks and field in own, two per blob
--         then, with a TTL, the other fields in own: those of the other blobs, followed by those without a key
-- returns revision, or {1, revision, descriptor, ...} with the descriptors of replaced or removed binaries
--         {0} no such service | {2} chunks of a binary are missing | {3} too many keys
--         {6, revision} the condition is not met
--         {4, idempotency key or '', field, ...} see set_end.lua; the field `_own` if own is missing in KEYS
-- cost    O(names touched); O(keys of the service) near the limit; with a TTL O(binaries)
--         An argument costs Redis 0.06 us and an array as a reply 0.3 us, so most writes omit them.
-- revision.lua precedes this script; with a TTL, also clock.lua and resources.lua.
-- First and last argument of each list.
local s1, sn = 3, 2 + ARGV[2]
local b1, bn = sn + 2, sn + 1 + ARGV[sn + 1]
local condition, ttl = ARGV[bn + 1], ARGV[bn + 2]
local removed, new_blobs, n1 = {}, 0, nil
if condition then
  local dn = bn + 6 + ARGV[bn + 6]
  for i = bn + 7, dn do
    removed[#removed + 1] = ARGV[i]
  end
  new_blobs, n1 = tonumber(ARGV[dn + 1]), dn + 2
end

local current = redis.call('HMGET', KEYS[1], '_end', '_rev', '_watch', unpack(ARGV, b1, bn))
local service_end = current[1]
if not service_end then
  return {0}
end
local revision = to_revision(current[2])
if condition and condition ~= '' then
  local only_new, revisions = string.match(condition, '^(%*?)(.*)$')
  local is_met = is_listed(revision, revisions)
  if only_new ~= '' and bn >= b1 then
    local names = {}
    for i = b1, bn do
      names[#names + 1] = string.sub(ARGV[i], 6)
    end
    local texts = redis.call('HMGET', KEYS[1], unpack(names))
    for i = 1, #names do
      is_met = is_met and not texts[i] and not current[i + 3]
    end
  end
  if not is_met then
    return {6, revision}
  end
end
for i = 1, new_blobs do
  if redis.call('HLEN', KEYS[i + 2]) ~= tonumber(ARGV[n1 + 2 * (i - 1)]) then
    return {2}
  end
end

local replaced
for i = b1, bn do
  local descriptor = current[i - b1 + 4]
  if descriptor then
    replaced = replaced or {1, revision}
    replaced[#replaced + 1] = descriptor
    removed[#removed + 1] = ARGV[i]
  end
end

-- The hash also has internal fields, so this estimate reaches the limit early; then the keys are counted
-- exactly.
if sn >= s1 and redis.call('HLEN', KEYS[1]) + (sn - s1 + 1) / 2 > tonumber(ARGV[1]) then
  local names = {}
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    names[field] = true
  end
  for _, field in ipairs(removed) do
    names[field] = nil
  end
  for i = s1, sn, 2 do
    names[ARGV[i]] = true
  end
  local count = 0
  for field in pairs(names) do
    if string.sub(field, 1, 1) ~= '_' or string.sub(field, 1, 5) == '_bin:' then
      count = count + 1
    end
  end
  if count > tonumber(ARGV[1]) then
    return {3}
  end
end

local has_ttl, owned, unknown = ttl and ttl ~= '', {}, nil
if has_ttl then
  local claim = ARGV[bn + 3]
  -- While a slot migrates, Redis delays scripts with missing keys, so own is not passed for nothing.
  local fields = redis.call('HMGET', KEYS[1], '_claim', '_own')
  if #KEYS > 1 then
    owned, unknown = known_resources(KEYS[2], fields[1], claim, n1 + 2 * new_blobs)
  elseif fields[2] or (fields[1] or '') ~= claim then
    unknown = {4, fields[1] or '', fields[2] and '_own'}
  end
end
if sn >= s1 and (unknown or #removed > 0) then
  -- If memory is full, this fails: before the caller changes other expirations, and before a deletion, after which Redis
  -- would accept more.
  redis.call('HSET', KEYS[1], '_end', service_end)
end
if unknown then
  return unknown
end

local is_changed = sn >= s1
if #removed > 0 then
  is_changed = redis.call('HDEL', KEYS[1], unpack(removed)) > 0 or is_changed
end
if is_changed then
  revision = revision + 1
end
if has_ttl then
  service_end = format_millis(server_now + ttl)
  if sn < s1 then -- nothing allocates, so this succeeds even if memory is full
    redis.call('PEXPIREAT', KEYS[1], service_end)
  end
  redis.call('HSET', KEYS[1], '_end', service_end)
end
for i = 1, new_blobs do
  redis.call('HSET', KEYS[2], ARGV[n1 + 2 * i - 1], '')
end
if sn >= s1 then
  redis.call('HSET', KEYS[1], '_rev', revision, unpack(ARGV, s1, sn))
elseif is_changed then -- after the removal, so this succeeds even if memory is full
  redis.call('HSET', KEYS[1], '_rev', revision)
end
-- If memory is full, Redis rejects a script whose first write allocates, but not later writes; therefore the
-- expirations are last.
if has_ttl then
  redis.call('PEXPIREAT', KEYS[1], service_end)
end
if #KEYS > 1 then
  redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', service_end + ARGV[bn + 4]))
end
if replaced then
  replaced[2] = revision
  for i = 3, #replaced do
    owned['blob:' .. (string.match(replaced[i], '"blob":"(%x+)"') or '')] = nil
  end
end
for i = 1, #KEYS - 2 do
  -- A binary that is replaced now or was meanwhile must not live as long as the others.
  if i <= new_blobs or owned[ARGV[n1 + new_blobs + i - 1]] then
    redis.call('PEXPIREAT', KEYS[i + 2], service_end)
  elseif redis.call('PTTL', KEYS[i + 2]) > tonumber(ARGV[bn + 5]) then
    redis.call('PEXPIRE', KEYS[i + 2], ARGV[bn + 5])
  end
end
if is_changed and current[3] then
  notify(current[3])
end
return replaced or revision
