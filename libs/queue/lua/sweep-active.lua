#!lua flags=allow-oom
-- sweep-active: removes ids from the set of open tracked jobs whose hash is gone or says that they ended.
-- Every script that ends a job removes it at once; this is for ends that nobody told (a hash that expired with
-- its job, a key removed by hand). Called by caretakers, some hundred ids at a time.
-- KEYS: active, then per job: job
-- ARGV: then per job: id
-- Returns: the number of ids removed
-- Invariants: an open job stays: its hash and its entry come in one script.
--include track
local removed = 0
for place, id in ipairs(ARGV) do
  local status = redis.call('HGET', KEYS[place + 1], 'status')
  if not status or has_ended(status) then removed = removed + redis.call('SREM', KEYS[1], id) end
end
return removed
