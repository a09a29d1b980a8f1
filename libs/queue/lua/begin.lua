#!lua flags=allow-oom
-- begin: notes that a worker has begun a tracked job.
-- A job that came by hand, without admit, enters the live set and the live view here: the worker then names
-- the element it holds in `old`, for only a job that is in flight may be called live (after a wipe it must be
-- admitted again). Else `old` is empty, and a job whose end is known stays ended: this may arrive after it,
-- where Redis had forgotten the script and it was sent a second time. `first` is written where nothing is yet.
-- KEYS: inflight, live, job, active, recent
-- ARGV: old, id, deadline, first (JSON object), fields (JSON object)
-- Returns: OK | OVER | FENCED
-- Invariants: moves no work; an id enters `live` only while its element is in flight.
--include recent
--include track
local status = redis.call('HGET', KEYS[3], 'status')
if ARGV[1] ~= '' then
  if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 'FENCED' end
  redis.call('ZADD', KEYS[2], 'NX', ARGV[3], ARGV[2])
  if has_ended(status) then redis.call('DEL', KEYS[3]) end
elseif has_ended(status) then
  return 'OVER'
end
if not status then list_recent(KEYS[5], ARGV[2]) end
redis.call('SADD', KEYS[4], ARGV[2])
for name, value in pairs(cjson.decode(ARGV[4])) do redis.call('HSETNX', KEYS[3], name, value) end
track(KEYS[3], ARGV[5])
return 'OK'
