#!lua flags=allow-oom
-- return-list: a draining replica gives its own list back to the shared one.
-- Called when draining begins and again before it ends: admit may have chosen the replica in between.
-- KEYS: own list, shared list
-- ARGV: limit
-- Returns: the number of elements returned
-- Invariants: an element is in one of the two lists at every moment; their order is kept.
local returned = 0
while returned < tonumber(ARGV[1]) and redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT') do
  returned = returned + 1
end
return returned
