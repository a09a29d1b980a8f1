#!lua flags=allow-oom
-- handoff: ends a job at this stage, puts it on the next stage's list, and claims what comes next.
-- One round trip per hop. Membership of the in-flight list is the fence: a worker that was taken for dead
-- finds its element gone and hands on nothing. LREM is acknowledgement and fence in one; if it finds
-- nothing the push is taken back, which nobody can see from outside (saves an LPOS, one command in four).
-- KEYS: inflight, next, then per source: source, inflight
-- ARGV: old, new, want
-- Returns: OK | FENCED, then per element: source number, element
-- Invariants: target first, acknowledgement last: an error in the middle leaves the job in flight.
--include claim-from
redis.call('RPUSH', KEYS[2], ARGV[2])
local word = 'OK'
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then
  redis.call('RPOP', KEYS[2])
  word = 'FENCED'
end
return claim_from(3, tonumber(ARGV[3]), { word })
