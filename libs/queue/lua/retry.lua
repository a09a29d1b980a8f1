#!lua flags=allow-oom
-- retry: puts a failed job aside until it is due, in Redis and not in the worker's memory.
-- Also for a stage that answers "later". The caller has chosen the delay (full jitter inside the deadline);
-- promote brings the job back to the stage's list. A generator gives up its lease, so that another replica
-- may take the next try, and pays `cost` out of the pool's retry budget: without a limit, retries are what keeps an
-- overload going when its cause is over. BROKE: the budget is spent, nothing was changed, the caller ends the job.
-- KEYS: inflight, retry, job, leases, load, pool
-- ARGV: old, new, delay_ms, id, fields, cost
-- Returns: OK | FENCED | BROKE
-- Invariants: the job is in flight or in `retry`, never in both, never in neither.
--include now
--include lease
--include pool
--include track
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 'FENCED' end
local cost = tonumber(ARGV[6])
if cost > 0 then
  local budget = tonumber(redis.call('HGET', KEYS[6], 'budget') or budget_cap)
  if budget < cost then return 'BROKE' end
  redis.call('HSET', KEYS[6], 'budget', budget - cost)
end
redis.call('ZADD', KEYS[2], now_ms() + tonumber(ARGV[3]), ARGV[2])
release_lease(KEYS[4], KEYS[5], ARGV[4])
track(KEYS[3], ARGV[5])
redis.call('LREM', KEYS[1], 1, ARGV[1])
return 'OK'
