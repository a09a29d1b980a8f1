#!lua flags=allow-oom
-- mark: writes fields of a tracked job that is under way (it began; how far it is).
-- Never after its end: a worker that was taken for dead must not turn `completed` back into `processing`.
-- KEYS: job
-- ARGV: fields
-- Returns: OK | OVER
-- Invariants: a final status stays.
--include track
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'completed' or status == 'failed' or status == 'cancelled' then return 'OVER' end
track(KEYS[1], ARGV[1])
return 'OK'
