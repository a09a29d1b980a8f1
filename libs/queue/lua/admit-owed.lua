#!lua flags=allow-oom
-- admit-owed: lets a part of work into the chain that was admitted before, e.g. a group of a document's chunks.
-- Neither a cap nor a full Redis keeps it out: the whole could not end without it, and what is refused for room
-- would go on taking its room. Whoever sends parts bounds how many are under way at once. Otherwise as `admit`:
-- sent again it answers DUP, and a part that has its completion is not run again.
-- HEAD: it is taken next, before what waits. Who sends it so has nothing else in the list, or others would starve.
-- KEYS: live, list, completion
-- ARGV: id, deadline, element, end (HEAD | TAIL)
-- Returns: OK | DUP
-- Invariants: a job is in `live` if and only if its element is in a list.
if redis.call('EXISTS', KEYS[3]) == 1 then return 'DUP' end
if redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1]) == 0 then return 'DUP' end
local pushed = redis.pcall(ARGV[4] == 'HEAD' and 'LPUSH' or 'RPUSH', KEYS[2], ARGV[3])
if type(pushed) == 'table' and pushed.err then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return pushed
end
return 'OK'
