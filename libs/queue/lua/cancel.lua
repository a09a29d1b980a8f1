#!lua flags=allow-oom
-- cancel: asks whoever has the job, now or later, to drop it.
-- The message reaches a worker that runs it within a round trip; the set is read by workers that start,
-- reconnect or beat, and forgotten after `keep_ms`. The job's completion then says `cancelled`.
-- KEYS: cancelled, channel
-- ARGV: id, keep_ms
-- Returns: OK
-- Invariants: moves no work; cancelling an unknown or finished job does nothing.
--include now
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PUBLISH', KEYS[2], ARGV[1])
return 'OK'
