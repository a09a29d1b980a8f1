#!lua flags=allow-oom
-- mark: writes fields of a tracked job that is under way (how far it is).
-- Never after its end: a worker that was taken for dead must not turn `completed` back into `processing`. Never
-- less progress than was said before: that goes back to 0 only with a new try, by retry. A job without a hash
-- (it was wiped) is left alone: half a hash would say less than none.
-- KEYS: job
-- ARGV: fields (JSON object)
-- Returns: OK | OVER | GONE
-- Invariants: a final status stays; progress does not go back within a try.
--include track
local said = redis.call('HMGET', KEYS[1], 'status', 'progress')
if not said[1] then return 'GONE' end
if has_ended(said[1]) then return 'OVER' end
local changes = cjson.decode(ARGV[1])
if changes.progress and said[2] and tonumber(changes.progress) < tonumber(said[2]) then
  changes.progress = said[2]
end
track(KEYS[1], cjson.encode(changes))
return 'OK'
