#!lua flags=allow-oom
-- expire-one: completes a job that is long past its deadline, wherever it may be, so that no caller hangs.
-- Wherever its envelope is, the stage that claims it next finds the deadline passed and drops it. An id in a list
-- of ids is none of ours to end: the registry is not told, its job stays open, and the id is run when it is claimed, or
-- admitted again by the sweeper (services/ingest). Until then only the live view says `failed`.
-- KEYS: live, completion, job, active
-- ARGV: id, value, fields, grace_ms
-- Returns: OK | EARLY | GONE
-- Invariants: first completion wins; the id leaves `live`.
--include now
--include track
local deadline = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not deadline then return 'GONE' end
if tonumber(deadline) > now_ms() - tonumber(ARGV[4]) then return 'EARLY' end
if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'EX', 60) then
  if KEYS[3] ~= '' and redis.call('EXISTS', KEYS[3]) == 1 then track(KEYS[3], ARGV[3]) end
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('SREM', KEYS[4], ARGV[1])
return 'OK'
