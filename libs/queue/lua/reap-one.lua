#!lua flags=allow-oom
-- reap-one: takes one job from a worker whose lease has lapsed and puts it back into play.
-- Any process may call it; two that do find, the second time, nothing. The first redelivery goes to the
-- head (the job's deadline is nearest), a second one to the tail, so that a job that kills its workers does
-- not starve the rest; the caller chooses, and has rewritten the header (`new`). The lease a dead generator
-- held for the job goes with it.
-- KEYS: workers, inflight, list, leases, load
-- ARGV: member, old, new, end (HEAD | TAIL), id
-- Returns: OK | GONE | ALIVE
-- Invariants: exactly one move per element; target first, acknowledgement last.
--include now
--include lease
local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
if lease and tonumber(lease) > now_ms() then return 'ALIVE' end
if not redis.call('LPOS', KEYS[2], ARGV[2]) then return 'GONE' end
redis.call(ARGV[4] == 'HEAD' and 'LPUSH' or 'RPUSH', KEYS[3], ARGV[3])
release_lease(KEYS[4], KEYS[5], ARGV[5])
redis.call('LREM', KEYS[2], 1, ARGV[2])
return 'OK'
