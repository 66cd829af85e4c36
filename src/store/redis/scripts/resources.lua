-- The resources of a service whose expiration a script changes; prepended to these scripts. A script may only access
-- the keys that it was given, so the caller must know them.
-- KEYS    those of the script
-- ARGV    those of the script
-- returns nothing: it defines a function
-- cost    none

-- Compares what the caller knows with the resources of the service: `known_claim` with its idempotency key `claim`, and
-- the arguments from `first` on with the fields of `own`. Returns the fields as a set; nil and the reply
-- {4, idempotency key or '', field, ...} if the caller does not know all of them.
local function known_resources(own, claim, known_claim, first)
  local known, owned, reply = {}, {}, {4, claim or ''}
  for i = first, #ARGV do
    known[ARGV[i]] = true
  end
  local missing = reply[2] ~= known_claim
  for _, field in ipairs(redis.call('HKEYS', own)) do
    reply[#reply + 1] = field
    owned[field] = true
    missing = missing or not known[field]
  end
  if missing then
    return nil, reply
  end
  return owned
end
