#!lua flags=allow-oom
-- drop-letter: throws one dead letter away.
-- KEYS: dead, size
-- ARGV: letter
-- Returns: the number of letters removed, 0 or 1
-- Invariants: touches no other letter; the count beside the list stays right.
--include dead-list
return remove_letter(KEYS[1], KEYS[2], ARGV[1])
