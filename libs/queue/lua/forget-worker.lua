#!lua flags=allow-oom
-- forget-worker: removes a lapsed worker from the register once its in-flight list is empty.
-- KEYS: workers, inflight
-- ARGV: member
-- Returns: OK | ALIVE | BUSY
-- Invariants: no in-flight list with elements is ever without a member of `workers`.
--include now
local lease = redis.call('ZSCORE', KEYS[1], ARGV[1])
if lease and tonumber(lease) > now_ms() then return 'ALIVE' end
if redis.call('LLEN', KEYS[2]) > 0 then return 'BUSY' end
redis.call('ZREM', KEYS[1], ARGV[1])
return 'OK'
