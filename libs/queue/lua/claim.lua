#!lua flags=allow-oom
-- claim: moves waiting elements into this worker's in-flight lists.
-- The blocking BLMOVE of an idle worker brings one element; this brings the rest of a backlog.
-- KEYS: then per source: source, inflight
-- ARGV: want
-- Returns: OK, then per element: source number, element
-- Invariants: an element is in a list at every moment; never more than `want` are claimed.
--include claim-from
return claim_from(1, tonumber(ARGV[1]), { 'OK' })
