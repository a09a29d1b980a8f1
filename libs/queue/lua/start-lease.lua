#!lua flags=allow-oom
-- start-lease: a generator that begins a job takes (or extends) the lease on itself.
-- Releases the one on the replica the job had been assigned to, when that is another. Sent before the job's
-- finish on the same connection, so it cannot come after it; renew-leases keeps it alive.
-- KEYS: leases, load, other leases, other load
-- ARGV: id, lease_ms
-- Returns: OK
-- Invariants: one lease per running job, on the replica that runs it.
--include now
--include lease
redis.call('ZADD', KEYS[1], now_ms() + tonumber(ARGV[2]), ARGV[1])
mirror_load(KEYS[1], KEYS[2])
release_lease(KEYS[3], KEYS[4], ARGV[1])
return 'OK'
