#!lua flags=allow-oom
-- adopt-orphan: registers an in-flight list that no worker is registered for.
-- As if its worker had just beaten: one that lives beats again before the lease is over, one that is dead
-- lapses, and the reaper takes its work.
-- KEYS: workers, inflight
-- ARGV: member, lease_ms
-- Returns: OK | KNOWN | EMPTY
-- Invariants: no in-flight list with elements stays without a member of `workers`.
--include now
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 'KNOWN' end
if redis.call('LLEN', KEYS[2]) == 0 then return 'EMPTY' end
redis.call('ZADD', KEYS[1], 'NX', now_ms() + tonumber(ARGV[2]), ARGV[1])
return 'OK'
