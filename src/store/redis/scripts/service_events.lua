-- Writes events about services; prepended, after events.lua, to the scripts that have them.
-- KEYS    those of the script
-- returns nothing: it defines functions
-- cost    O(1) per event; with user data O(keys of the service)
-- The field `_hook` of svc:{id} is the subscription, after `p` while the create is pending. The name of a field of own:{id}
-- is `hook:`, the same, `:` and the name of the configured service. After `-` the end of the service needs no event.
local function write_service_event(outbox, event_type, id, definition, fact, data)
  write_event(outbox, id, fact, {
    type = event_type, service = id, definition = definition, endpoint = 'services/' .. definition, data = data
  })
end

-- Returns the strings of a service, if they are not too large.
local function read_user_data(service)
  local names, texts, bytes = {}, {}, 0
  for _, name in ipairs(redis.call('HKEYS', service)) do
    if string.sub(name, 1, 1) ~= '_' then
      bytes = bytes + #name + redis.call('HSTRLEN', service, name)
      if bytes > 32768 then
        return {user_data_omitted = true}
      end
      names[#names + 1] = name
    end
  end
  for _, name in ipairs(names) do
    texts[name] = redis.call('HGET', service, name)
  end
  return {user_data = texts}
end

local function write_created_event(outbox, service, subscription, id, definition)
  local data = {}
  if string.find(subscription, 'u', 1, true) then
    data = read_user_data(service)
  end
  write_service_event(outbox, 'service.created', id, definition, redis.call('HGET', service, '_created'), data)
end
