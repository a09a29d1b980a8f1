#!lua
-- redrive: takes a job back from its queue's dead list: the letter goes, and the element stands on its list again.
-- The caller has made the element from the letter's raw bytes: tries and deliveries start anew, and a deadline that
-- has passed is a new one. The end it had is forgotten (completion, cancellation, the tracked job's hash), so that
-- nobody who waits for the job is told of it. Of two that redrive one letter the second finds it gone. Admits work,
-- and is refused as `admit` is: whole by a full Redis, FULL at the cap; LIVE when a job of that id is in the chain.
-- KEYS: dead, size, list, live, completion, cancelled, job, active, recent
-- ARGV: letter, element, id, deadline, cap, first (JSON object), fields (JSON object)
-- Returns: OK | GONE | LIVE | FULL
-- Invariants: the job is in the dead list or on its list at every moment; target first, the letter last.
--include now
--include recent
--include track
--include dead-list
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 'GONE' end
if redis.call('ZSCORE', KEYS[4], ARGV[3]) then return 'LIVE' end
if redis.call('ZCARD', KEYS[4]) >= tonumber(ARGV[5]) then return 'FULL' end
redis.call('RPUSH', KEYS[3], ARGV[2])
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[3])
redis.call('DEL', KEYS[5])
redis.call('ZREM', KEYS[6], ARGV[3])
if KEYS[7] ~= '' then
  if redis.call('EXISTS', KEYS[7]) == 0 then list_recent(KEYS[9], ARGV[3]) end
  redis.call('SADD', KEYS[8], ARGV[3])
  for name, value in pairs(cjson.decode(ARGV[6])) do redis.call('HSETNX', KEYS[7], name, value) end
  track(KEYS[7], ARGV[7])
  local remaining = math.ceil((tonumber(ARGV[4]) - now_ms()) / 1000)
  redis.call('EXPIRE', KEYS[7], math.max(3600, remaining + 60))
end
remove_letter(KEYS[1], KEYS[2], ARGV[1])
return 'OK'
