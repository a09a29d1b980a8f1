#!lua flags=no-writes
-- inspect: one queue at a glance, as one moment saw it.
-- The age is read from the head's own `enqueued_at` (here, so that a large element stays in Redis).
-- KEYS: list, retry, dead, then per worker: inflight
-- ARGV: none
-- Returns: waiting, in flight, retry, dead, enqueued_at of the head or an empty text, the head if it is a bare id or ''
-- Invariants: changes nothing.
local in_flight = 0
for place = 4, #KEYS do in_flight = in_flight + redis.call('LLEN', KEYS[place]) end
local head = redis.call('LINDEX', KEYS[1], 0)
local enqueued_at = head and string.match(head, '"enqueued_at":%s*([%d%.]+)') or ''
local id = head and #head <= 256 and not string.find(head, '^%s*{') and head or ''
return {
  redis.call('LLEN', KEYS[1]), in_flight, redis.call('ZCARD', KEYS[2]), redis.call('LLEN', KEYS[3]), enqueued_at, id,
}
