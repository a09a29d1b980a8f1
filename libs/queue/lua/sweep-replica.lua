#!lua flags=allow-oom
-- sweep-replica: takes a replica that stopped beating out of the game.
-- Its own list goes back to the shared one (to the head, in its order: that work is older), its expired
-- leases go, its mirrored load follows. Called by every caretaker each second for each lapsed replica. One
-- that stays away for `forget_ms` and owes nothing is forgotten; until then `status` shows it as down.
-- KEYS: replicas, replica, leases, load, own list, shared list
-- ARGV: url, forget_ms
-- Returns: ALIVE | the number of elements returned
-- Invariants: an element is in one of the two lists at every moment; an unexpired lease is left alone.
--include now
--include lease
local now = now_ms()
local lapsed = redis.call('ZSCORE', KEYS[1], ARGV[1])
if lapsed and tonumber(lapsed) > now then return 'ALIVE' end
local returned = 0
while returned < 1000 and redis.call('LMOVE', KEYS[5], KEYS[6], 'RIGHT', 'LEFT') do returned = returned + 1 end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
mirror_load(KEYS[3], KEYS[4])
if redis.call('HGET', KEYS[2], 'state') ~= 'down' then redis.call('HSET', KEYS[2], 'state', 'down') end
if lapsed and now - tonumber(lapsed) > tonumber(ARGV[2]) and redis.call('ZCARD', KEYS[3]) == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('DEL', KEYS[2], KEYS[4])
end
return returned
