#!lua flags=allow-oom
-- finish: ends jobs for good and tells who waits for them.
-- Takes the jobs of one lane and one submitter that a worker finishes in one turn of its event loop. The
-- completion key is the truth (60 s, first writer wins); the inbox carries the same text so that the
-- submitter needs no second read, and may be lost without harm: it goes after 15 s, so that a killed
-- submitter leaves nothing behind; one frozen for longer finds the keys (its check of every second).
-- Fenced like handoff: what was written before the fence is taken back. `inbox`, `job` and the replica's
-- keys are empty when there are none, and `completion` when the job had ended before it was claimed. A bare id may
-- run again within its completion's minute (retried, or overdue and admitted anew): the registry let this run begin,
-- so its end is shown whatever that completion says.
-- KEYS: inflight, live, inbox, leases, load, active, then per job: completion, job
-- ARGV: then per job: old, id, value, fields
-- Returns: OK, or when one was FENCED a word per job: OK | FENCED
-- Invariants: exactly one completion per id. Completion and inbox before the acknowledgement; live entry
-- and lease after it, for only who owned the job may clear them, and caretakers clear them in the end.
--include lease
--include track
local jobs = #ARGV / 4
local stored, messages = {}, {}
for job = 1, jobs do
  local completion, value = KEYS[5 + 2 * job], ARGV[4 * job - 1]
  stored[job] = completion ~= '' and redis.call('SET', completion, value, 'NX', 'EX', 60)
  if stored[job] then messages[#messages + 1] = value end
end
if KEYS[3] ~= '' and #messages > 0 and redis.call('RPUSH', KEYS[3], unpack(messages)) == #messages then
  redis.call('EXPIRE', KEYS[3], 15)
end
local words, ended, untracked, fenced = {}, {}, {}, false
for job = 1, jobs do
  local old, id, value, fields = ARGV[4 * job - 3], ARGV[4 * job - 2], ARGV[4 * job - 1], ARGV[4 * job]
  if redis.call('LREM', KEYS[1], 1, old) == 1 then
    words[job] = 'OK'
    ended[#ended + 1] = id
    if stored[job] or KEYS[5 + 2 * job] == '' or old == id then track(KEYS[6 + 2 * job], fields) end
    if KEYS[6 + 2 * job] ~= '' then untracked[#untracked + 1] = id end
  else
    words[job], fenced = 'FENCED', true
    if stored[job] then
      redis.call('DEL', KEYS[5 + 2 * job])
      if KEYS[3] ~= '' then redis.call('LREM', KEYS[3], -1, value) end
    end
  end
end
if #untracked > 0 then redis.call('SREM', KEYS[6], unpack(untracked)) end
if #ended > 0 then
  redis.call('ZREM', KEYS[2], unpack(ended))
  if KEYS[4] ~= '' and redis.call('ZREM', KEYS[4], unpack(ended)) > 0 then mirror_load(KEYS[4], KEYS[5]) end
end
return fenced and words or 'OK'
