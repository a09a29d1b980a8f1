#!lua flags=allow-oom
-- give-back: returns a claimed job to the head of its list, unblamed.
-- For a worker that drains and for one that claimed more than it has slots for. The element is unchanged,
-- so neither attempt nor redelivery is counted. A generator that had begun it names its lease.
-- KEYS: inflight, list, leases, load
-- ARGV: old, id
-- Returns: OK | FENCED
-- Invariants: target first, acknowledgement last.
--include lease
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 'FENCED' end
redis.call('LPUSH', KEYS[2], ARGV[1])
release_lease(KEYS[3], KEYS[4], ARGV[2])
redis.call('LREM', KEYS[1], 1, ARGV[1])
return 'OK'
