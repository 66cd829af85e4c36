-- Functions of the scripts of Bayeux sessions; prepended to them. The embedded store has the same rules in
-- `memory/comet/user.rs`.
-- KEYS    1 comet:{user}, with the fields `changes` (a counter of signals), chat:<id> (the position that the user has
--         received) and session:<secret> (the ms at which it expires)   2 comet:{user}:<secret>, with the fields
--         `ack`, `generation`, `batch`, `waits` (ms until which the last connect waits), sub:<channel>, and chat:<id>:
--         the position received, or `received:sent`, with an `e` at the end if the chat ends with the batch
-- ARGV    1 channel of signals   2 id of the signals of the user   3 secret
-- returns nothing: it defines functions
-- cost    O(chats and sessions of the user), which are limited
local function signal()
  redis.call('HSET', KEYS[1], 'changes', format_millis((redis.call('HGET', KEYS[1], 'changes') or 0) + 1))
  -- Without the right to publish, listeners find the change when they poll.
  redis.pcall('PUBLISH', ARGV[1], ARGV[2])
end

-- Lets a key live for at least this time.
local function extend(key, ttl)
  if redis.call('PTTL', key) < tonumber(ttl) then
    redis.call('PEXPIRE', key, ttl)
  end
end

local function read(key)
  local all, fields = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    fields[all[i]] = all[i + 1]
  end
  return fields
end

-- Calls `visit` with the id and the value of each chat in `fields`.
local function each_chat(fields, visit)
  for field, value in pairs(fields) do
    if string.sub(field, 1, 5) == 'chat:' then
      visit(string.sub(field, 6), value)
    end
  end
end

-- The position received, that sent if there is one, and whether the chat ends with it.
local function parse_chat(value)
  local received, sent, ended = string.match(value, '^(%d+):?(%d*)(e?)$')
  return received, sent ~= '' and sent or nil, ended == 'e'
end

-- Records the position that the user has received.
local function set_received(id, position)
  local before = redis.call('HGET', KEYS[1], 'chat:' .. id)
  if before and tonumber(before) < tonumber(position) then
    redis.call('HSET', KEYS[1], 'chat:' .. id, position)
  end
end

-- The session; nil if there is none.
local function load_session()
  if redis.call('HEXISTS', KEYS[1], 'session:' .. ARGV[3]) == 0 then
    return nil
  end
  local session = read(KEYS[2])
  return session.generation and session or nil
end
