#!lua flags=allow-oom
-- finish: ends a job for good, tells who waits for it, and claims what comes next.
-- The completion key is the truth (60 s, first writer wins); the inbox carries the same text so that the
-- submitter needs no second read, and may be lost without harm. Fenced like handoff; what was written
-- before the fence is taken back. `inbox`, `job` and the replica's keys are empty when there are none.
-- KEYS: inflight, completion, live, inbox, job, leases, load, then per source: source, inflight
-- ARGV: old, id, value, deadline, fields, want
-- Returns: OK | FENCED, then per element: source number, element
-- Invariants: exactly one completion per id; no live entry and no lease outlives it; acknowledgement last.
--include claim-from
--include lease
--include track
local stored = redis.call('SET', KEYS[2], ARGV[3], 'NX', 'EX', 60)
local told = false
if stored and KEYS[4] ~= '' then
  told = true
  if redis.call('RPUSH', KEYS[4], ARGV[3]) == 1 then redis.call('EXPIRE', KEYS[4], 60) end
end
local was_live = redis.call('ZREM', KEYS[3], ARGV[2])
release_lease(KEYS[6], KEYS[7], ARGV[2])
local word = 'OK'
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then
  if stored then redis.call('DEL', KEYS[2]) end
  if told then redis.call('RPOP', KEYS[4]) end
  if was_live == 1 then redis.call('ZADD', KEYS[3], ARGV[4], ARGV[2]) end
  word = 'FENCED'
elseif stored then
  track(KEYS[5], ARGV[5])
end
return claim_from(8, tonumber(ARGV[6]), { word })
