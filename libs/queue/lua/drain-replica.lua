#!lua flags=allow-oom
-- drain-replica: takes a replica out of use by a person's word, or lets it back in.
-- What it works on goes on; admit assigns nothing to it from here on, and its next report (within a second)
-- returns its list to the shared one and stops it from pulling. Back in, it begins slowly. The word outlives the
-- process: a replica that comes back under the same address is still drained.
-- KEYS: pool, replica
-- ARGV: url, word (DRAIN | RESUME)
-- Returns: OK | UNKNOWN
-- Invariants: moves no work.
--include now
--include pool
if redis.call('EXISTS', KEYS[2]) == 0 then return 'UNKNOWN' end
local entry = read_pool(KEYS[1])[ARGV[1]] or { state = 'closed', trips = 0, level = 0 }
entry.seen = entry.seen or now_ms()
if ARGV[2] == 'DRAIN' then
  entry.drained = true
elseif entry.drained then
  entry.drained, entry.cap, entry.cap_ok = nil, 1, 0
end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(entry))
redis.call('PEXPIRE', KEYS[1], 3600000)
return 'OK'
