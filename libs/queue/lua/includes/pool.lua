-- The pool: one hash, a JSON entry per replica URL (what its breaker is, and its pace) and `budget`, the retry
-- tokens. One key, so that every script that chooses sees all of them at one moment.
--
-- A breaker is in one of three states, and moves only here and in admit:
--
--   closed     takes work. Five failures in a row (a failure that cost a timeout weighs three), or a half of at
--              least eight calls of the last half minute: open. A `cap` means slow start: so many at a time.
--   open       takes nothing, until `open_until` (2 s, doubled each time it fails again). Then the next query
--              may be its probe: half_open.
--   half_open  one query runs there, under a lease (`probe_until`) that lapses when the prober is dead. Two that
--              went well: closed, with slow start. One that failed: open, for longer.
--
-- Alone, or in bad company: when the closed replicas have less than half of the slots, open ones are forced into
-- use, fewest failures first, up to that half: one call at a time while any is closed, all slots when none is.
-- Two calls that went well close a forced one.
local budget_cap = 10

local function read_pool(pool)
  local entries, budget = {}, budget_cap
  local flat = redis.call('HGETALL', pool)
  for place = 1, #flat, 2 do
    if flat[place] == 'budget' then
      budget = tonumber(flat[place + 1]) or budget_cap
    else
      entries[flat[place]] = cjson.decode(flat[place + 1])
    end
  end
  return entries, budget
end

local function is_closed(entry)
  return entry == nil or (entry.state or 'closed') == 'closed'
end

local function failure_ratio(entry)
  local failed = (entry.failed or 0) + (entry.failed_before or 0)
  local calls = failed + (entry.ok or 0) + (entry.ok_before or 0)
  return calls > 0 and failed / calls or 0
end

-- `replicas`: { url, slots, entry } of every one that lives and is not drained. Returns how many calls at a
-- time each open one that is forced into use may have, by URL.
local function forced_slots(replicas)
  local total, usable, shut = 0, 0, {}
  for _, replica in ipairs(replicas) do
    total = total + replica.slots
    if is_closed(replica.entry) then usable = usable + replica.slots else shut[#shut + 1] = replica end
  end
  local forced, any_closed = {}, usable > 0
  table.sort(shut, function(one, other)
    local left, right = failure_ratio(one.entry), failure_ratio(other.entry)
    if left ~= right then return left < right end
    return one.url < other.url
  end)
  for _, replica in ipairs(shut) do
    if usable * 2 >= total then break end
    usable = usable + replica.slots
    forced[replica.url] = any_closed and 1 or replica.slots
  end
  return forced
end

-- Whether the next query may be this replica's probe.
local function wants_probe(entry, now)
  if entry == nil or entry.drained then return false end
  if entry.state == 'open' then return now >= entry.open_until end
  return entry.state == 'half_open' and (entry.probe == nil or now >= (entry.probe_until or 0))
end
