#!lua flags=allow-oom
-- start-lease: a generator that begins a job takes (or extends) the lease on itself.
-- Releases the one on the replica the job had been assigned to, when that is another. Sent before the job's
-- finish on the same connection; yet where Redis has forgotten this script (a new Redis, SCRIPT FLUSH) it is
-- sent a second time with its text, and may then come after: a job that has its completion takes no lease.
-- renew-leases keeps it alive.
-- KEYS: leases, load, other leases, other load, completion
-- ARGV: id, lease_ms
-- Returns: OK | ENDED
-- Invariants: one lease per running job, on the replica that runs it.
--include now
--include lease
if redis.call('EXISTS', KEYS[5]) == 1 then return 'ENDED' end
redis.call('ZADD', KEYS[1], now_ms() + tonumber(ARGV[2]), ARGV[1])
mirror_load(KEYS[1], KEYS[2])
release_lease(KEYS[3], KEYS[4], ARGV[1])
return 'OK'
