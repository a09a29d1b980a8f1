#!lua flags=allow-oom
-- drop-letters: throws all dead letters of a queue away, whatever they are.
-- KEYS: dead, size
-- ARGV: none
-- Returns: the number of letters removed
-- Invariants: moves no work.
local letters = redis.call('LLEN', KEYS[1])
redis.call('UNLINK', KEYS[1], KEYS[2])
return letters
