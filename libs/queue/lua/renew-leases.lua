#!lua flags=allow-oom
-- renew-leases: extends the leases of the jobs a generator works on, with every beat.
-- Only existing ones (XX): a job that finished a moment ago must not come back as a phantom load. What is
-- missing (Redis was wiped, the process was frozen) is answered, and taken again with start-lease.
-- KEYS: leases
-- ARGV: lease_ms, then per job: id
-- Returns: the ids that hold no lease
-- Invariants: adds no member.
--include now
local expiry = now_ms() + tonumber(ARGV[1])
local missing = {}
for place = 2, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[place]) then
    redis.call('ZADD', KEYS[1], 'XX', expiry, ARGV[place])
  else
    missing[#missing + 1] = ARGV[place]
  end
end
return missing
