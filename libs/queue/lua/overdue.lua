#!lua flags=no-writes
-- overdue: what a caretaker has to look after, by Redis time.
-- One call a second; the moves themselves are done one by one with scripts that check again.
-- KEYS: workers, replicas, live, live low
-- ARGV: grace_ms, limit
-- Returns: four arrays: lapsed workers, lapsed replicas, overdue ids of live, overdue ids of live low
-- Invariants: changes nothing.
--include now
local now, limit = now_ms(), tonumber(ARGV[2])
local function lapsed(key, before)
  return redis.call('ZRANGE', key, '-inf', '(' .. before, 'BYSCORE', 'LIMIT', 0, limit)
end
local overdue = now - tonumber(ARGV[1])
return { lapsed(KEYS[1], now), lapsed(KEYS[2], now), lapsed(KEYS[3], overdue), lapsed(KEYS[4], overdue) }
