#!lua flags=allow-oom
-- retry: puts a failed job aside until it is due, in Redis and not in the worker's memory.
-- Also for a stage that answers "later". The caller has chosen the delay (full jitter inside the deadline);
-- promote brings the job back to the stage's list. A generator gives up its lease, so that another replica
-- may take the next try.
-- KEYS: inflight, retry, job, leases, load
-- ARGV: old, new, delay_ms, id, fields
-- Returns: OK | FENCED
-- Invariants: the job is in flight or in `retry`, never in both, never in neither.
--include now
--include lease
--include track
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 'FENCED' end
redis.call('ZADD', KEYS[2], now_ms() + tonumber(ARGV[3]), ARGV[2])
release_lease(KEYS[4], KEYS[5], ARGV[4])
track(KEYS[3], ARGV[5])
redis.call('LREM', KEYS[1], 1, ARGV[1])
return 'OK'
