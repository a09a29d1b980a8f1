#!lua flags=allow-oom
-- handoff: ends jobs at this stage and puts them on the next stage's list, atomically.
-- Takes the jobs that a worker passes on to one list in one turn of its event loop: usually one, a few
-- dozen at most. Membership of the in-flight list is the fence: a worker that was taken for dead finds its
-- element gone and hands on nothing. LREM is acknowledgement and fence in one; where it finds nothing the
-- push is taken back, which nobody can see from outside (saves an LPOS per job).
-- KEYS: inflight, next
-- ARGV: then per job: old, new
-- Returns: OK, or when one was FENCED a word per job: OK | FENCED
-- Invariants: target first, acknowledgement last: an error in the middle leaves the jobs in flight.
local added = {}
for place = 2, #ARGV, 2 do added[#added + 1] = ARGV[place] end
redis.call('RPUSH', KEYS[2], unpack(added))
local words, fenced = {}, false
for job, new in ipairs(added) do
  words[job] = 'OK'
  if redis.call('LREM', KEYS[1], 1, ARGV[2 * job - 1]) == 0 then
    redis.call('LREM', KEYS[2], -1, new)
    words[job], fenced = 'FENCED', true
  end
end
return fenced and words or 'OK'
