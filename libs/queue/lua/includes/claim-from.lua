-- Claims up to `want` elements from the (source, in-flight) pairs of lists that start at KEYS[first], in
-- their order, and appends "pair number, element" to `out`. Stops after a megabyte: a reply of many large
-- elements would hold Redis up for everybody.
local function claim_from(first, want, out)
  local bytes = 0
  for place = first, #KEYS - 1, 2 do
    while want > 0 and bytes < 1048576 do
      local element = redis.call('LMOVE', KEYS[place], KEYS[place + 1], 'LEFT', 'RIGHT')
      if not element then break end
      out[#out + 1] = tostring((place - first) / 2)
      out[#out + 1] = element
      bytes = bytes + #element
      want = want - 1
    end
  end
  return out
end
