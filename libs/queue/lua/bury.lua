#!lua flags=allow-oom
-- bury: puts a job that cannot go on into its queue's dead list, and tells who waits for it.
-- For rejected, exhausted, unreadable and poisonous jobs. The letter carries cause and raw bytes (cut by the
-- caller). `id` is empty when none could be read; then there is nobody to tell. A reaper names the dead
-- worker's lease in `member`: then the worker must really have lapsed. The list keeps the newest letters.
-- KEYS: inflight, dead, completion, live, inbox, job, leases, load, workers, active, size
-- ARGV: old, letter, id, value, fields, member
-- Returns: OK | FENCED | ALIVE
-- Invariants: letter and completion before the acknowledgement.
--include now
--include lease
--include track
--include dead-list
if ARGV[6] ~= '' then
  local lease = redis.call('ZSCORE', KEYS[9], ARGV[6])
  if lease and tonumber(lease) > now_ms() then return 'ALIVE' end
end
if not redis.call('LPOS', KEYS[1], ARGV[1]) then return 'FENCED' end
add_letter(KEYS[2], KEYS[11], ARGV[2])
if ARGV[3] ~= '' then
  local stored = redis.call('SET', KEYS[3], ARGV[4], 'NX', 'EX', 60)
  if stored and KEYS[5] ~= '' and redis.call('RPUSH', KEYS[5], ARGV[4]) == 1 then redis.call('EXPIRE', KEYS[5], 15) end
  -- As in finish: the completion of an earlier run does not hide the end of a bare id's.
  if stored or ARGV[1] == ARGV[3] then track(KEYS[6], ARGV[5]) end
  if KEYS[6] ~= '' then redis.call('SREM', KEYS[10], ARGV[3]) end
  redis.call('ZREM', KEYS[4], ARGV[3])
  release_lease(KEYS[7], KEYS[8], ARGV[3])
end
redis.call('LREM', KEYS[1], 1, ARGV[1])
return 'OK'
