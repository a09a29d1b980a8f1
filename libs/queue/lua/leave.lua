#!lua flags=allow-oom
-- leave: a worker that has drained says goodbye; a generator's replica with it.
-- A list that still holds something keeps its lease, so that the reaper finds it when the lease lapses. The
-- replica lapses at once and is shown as down; caretakers look after what is still assigned to it.
-- KEYS: workers, replicas, replica, leases, load, then per member: inflight
-- ARGV: url, then per member: member
-- Returns: the number of members that left
-- Invariants: no in-flight list with elements is ever without a member of `workers`.
--include now
--include lease
local left = 0
for place = 6, #KEYS do
  if redis.call('LLEN', KEYS[place]) == 0 then
    left = left + redis.call('ZREM', KEYS[1], ARGV[place - 4])
  end
end
if ARGV[1] ~= '' then
  local now = now_ms()
  redis.call('ZADD', KEYS[2], now, ARGV[1])
  redis.call('HSET', KEYS[3], 'state', 'down', 'until', now)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
  mirror_load(KEYS[4], KEYS[5])
end
return left
