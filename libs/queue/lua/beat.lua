#!lua flags=allow-oom
-- beat: says that a worker incarnation lives, for every list it takes from; a generator's replica with it.
-- Sent every few seconds on a connection of its own, from a thread that watches the main loop. Dropping
-- expired leases here is what brings a replica's load back to 0 after anything went wrong.
-- KEYS: workers, then per generator: replicas, replica, leases, load
-- ARGV: lease_ms, members (JSON array), then per generator: url, worker_name, slots, state, list
-- Returns: Redis time in ms
-- Invariants: a member of `workers` lapses `lease_ms` after the last beat, by Redis time.
--include now
--include lease
local now = now_ms()
local expiry = now + tonumber(ARGV[1])
for _, member in ipairs(cjson.decode(ARGV[2])) do redis.call('ZADD', KEYS[1], expiry, member) end
if #KEYS > 1 then
  redis.call('ZADD', KEYS[2], expiry, ARGV[3])
  redis.call('HSET', KEYS[3], 'worker_name', ARGV[4], 'slots', ARGV[5], 'state', ARGV[6], 'list', ARGV[7], 'until', expiry, 'beat', now)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
  mirror_load(KEYS[4], KEYS[5])
end
return now
