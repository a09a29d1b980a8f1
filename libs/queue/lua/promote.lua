#!lua flags=allow-oom
-- promote: brings due retries back to their list, at most sixteen a call.
-- Every worker of the list calls it four times a second while the set exists; calling it twice is harmless.
-- KEYS: retry, list
-- ARGV: limit
-- Returns: the number of elements moved
-- Invariants: target first; an element is never lost between set and list.
--include now
local due = redis.call('ZRANGE', KEYS[1], '-inf', now_ms(), 'BYSCORE', 'LIMIT', 0, tonumber(ARGV[1]))
for _, element in ipairs(due) do
  redis.call('RPUSH', KEYS[2], element)
  redis.call('ZREM', KEYS[1], element)
end
return #due
