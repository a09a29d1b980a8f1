#!lua flags=allow-oom
-- finish: ends jobs for good and tells who waits for them.
-- Takes the jobs of one lane and one submitter that a worker finishes in one turn of its event loop. The
-- completion key is the truth (60 s, first writer wins); the inbox carries the same text so that the
-- submitter needs no second read, and may be lost without harm: it goes after 15 s, so that a killed
-- submitter leaves nothing behind; one frozen for longer finds the keys (its check of every second).
-- Fenced like handoff: what was written before the fence is taken back. `inbox`, `job` and the replica's
-- keys are empty when there are none.
-- KEYS: inflight, live, inbox, leases, load, then per job: completion, job
-- ARGV: then per job: old, id, value, fields
-- Returns: OK, or when one was FENCED a word per job: OK | FENCED
-- Invariants: exactly one completion per id. Completion and inbox before the acknowledgement; live entry
-- and lease after it, for only who owned the job may clear them, and caretakers clear them in the end.
--include lease
--include track
local jobs = #ARGV / 4
local stored, messages = {}, {}
for job = 1, jobs do
  local value = ARGV[4 * job - 1]
  stored[job] = redis.call('SET', KEYS[4 + 2 * job], value, 'NX', 'EX', 60)
  if stored[job] then messages[#messages + 1] = value end
end
if KEYS[3] ~= '' and #messages > 0 and redis.call('RPUSH', KEYS[3], unpack(messages)) == #messages then
  redis.call('EXPIRE', KEYS[3], 15)
end
local words, ended, fenced = {}, {}, false
for job = 1, jobs do
  local old, id, value, fields = ARGV[4 * job - 3], ARGV[4 * job - 2], ARGV[4 * job - 1], ARGV[4 * job]
  if redis.call('LREM', KEYS[1], 1, old) == 1 then
    words[job] = 'OK'
    ended[#ended + 1] = id
    if stored[job] then track(KEYS[5 + 2 * job], fields) end
  else
    words[job], fenced = 'FENCED', true
    if stored[job] then
      redis.call('DEL', KEYS[4 + 2 * job])
      if KEYS[3] ~= '' then redis.call('LREM', KEYS[3], -1, value) end
    end
  end
end
if #ended > 0 then
  redis.call('ZREM', KEYS[2], unpack(ended))
  if KEYS[4] ~= '' and redis.call('ZREM', KEYS[4], unpack(ended)) > 0 then mirror_load(KEYS[4], KEYS[5]) end
end
return fenced and words or 'OK'
