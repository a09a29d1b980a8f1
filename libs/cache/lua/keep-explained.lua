#!lua
-- keep-explained: keeps parts of past queries' stories, and as many queries as may be kept.
-- Parts of one query come from several processes, in any order, and a part that comes again replaces the one before.
-- The oldest queries go when there are more than `queries`, when they take more than `bytes` (names and values), or
-- when they are older than `keep_ms`; at most 256 a call, so that a bound that was lowered does not hold Redis up.
-- Not allow-oom: a Redis that is full and may not evict refuses a story, which may be lost.
-- KEYS: stories, order
-- ARGV: keep_ms, queries, bytes, parts (names, by spaces), then per part: query, part, value
-- Returns: how many queries are kept
-- Invariants: a query is in `order` if and only if it has a part in `stories`; the field `bytes` of `stories` is what its
-- parts take. Eviction takes one of the two keys alone: what is left of the other tells nothing, and goes.
if redis.call('EXISTS', KEYS[1]) + redis.call('EXISTS', KEYS[2]) == 1 then redis.call('UNLINK', KEYS[1], KEYS[2]) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local keep_ms, queries, most_bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bytes = tonumber(redis.call('HGET', KEYS[1], 'bytes') or 0)

local function size_of(field)
  local length = redis.call('HSTRLEN', KEYS[1], field)
  return length == 0 and 0 or length + #field
end

for place = 5, #ARGV, 3 do
  local query, field, value = ARGV[place], ARGV[place + 1] .. ' ' .. ARGV[place], ARGV[place + 2]
  bytes = bytes - size_of(field) + #field + #value
  redis.call('HSET', KEYS[1], field, value)
  redis.call('ZADD', KEYS[2], 'NX', now, query)
end

for _ = 1, 256 do
  local oldest = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  if #oldest == 0 then break end
  local is_old = tonumber(oldest[2]) <= now - keep_ms
  if not is_old and bytes <= most_bytes and redis.call('ZCARD', KEYS[2]) <= queries then break end
  for part in string.gmatch(ARGV[4], '%S+') do
    local field = part .. ' ' .. oldest[1]
    bytes = bytes - size_of(field)
    redis.call('HDEL', KEYS[1], field)
  end
  redis.call('ZREM', KEYS[2], oldest[1])
end
local kept = redis.call('ZCARD', KEYS[2])
if kept == 0 then
  redis.call('UNLINK', KEYS[1], KEYS[2])
  return 0
end
redis.call('HSET', KEYS[1], 'bytes', bytes)
redis.call('PEXPIRE', KEYS[1], keep_ms)
redis.call('PEXPIRE', KEYS[2], keep_ms)
return kept
