#!lua flags=allow-oom
-- claim: moves waiting elements into this worker's in-flight lists.
-- The blocking BLMOVE of an idle worker brings one element; this brings the rest of a backlog, in the same
-- write as the settles that freed the slots. Takes the sources in their order, and stops after a megabyte:
-- a reply of many large elements would hold Redis up for everybody. A lost reply is for reconcile.
-- KEYS: then per source: source, inflight
-- ARGV: want
-- Returns: per element: source number, element
-- Invariants: an element is in a list at every moment; never more than `want` are claimed.
local want, bytes, out = tonumber(ARGV[1]), 0, {}
for place = 1, #KEYS - 1, 2 do
  while want > 0 and bytes < 1048576 do
    local element = redis.call('LMOVE', KEYS[place], KEYS[place + 1], 'LEFT', 'RIGHT')
    if not element then break end
    out[#out + 1] = (place - 1) / 2
    out[#out + 1] = element
    bytes = bytes + #element
    want = want - 1
  end
end
return out
