#!lua
-- admit: lets a job into the chain, once, with a generator replica reserved for it.
-- Called by whoever waits for the answer (or answers 202). Refused whole by a full Redis, on purpose: no
-- other script that moves work is. Sent again after a lost reply, or by a submitter whose job Redis lost,
-- it answers DUP and changes nothing. A replica is reserved only if it beats, is not draining, its breaker is
-- closed, it has a free slot, and nobody waits in the shared list (no overtaking); the caller shuffles the
-- candidates, so that ties fall at random (Lua's own random numbers repeat in every run). The lease lasts until
-- the job's deadline: every way a job can end releases it sooner. Before all others comes a replica whose open
-- breaker asks for a probe: this job is it, and no other until it has ended or its lease has: as long as the
-- replica's report has noted, which its next one begins anew while the probe runs.
-- A tracked job's hash begins anew: whoever admits an ended job again wants to see this run of it. An untracked
-- one that has its completion is not run again: quick jobs end before an admit whose reply was lost is sent anew
-- (39 of 1,263 under a proxy that swallows replies).
-- KEYS: live, list, shared, job (its hash when fields are given; else its completion), active, recent, pool, then per candidate: leases, load, replica
-- ARGV: id, deadline, cap, opening (the envelope's brace; empty for a bare id), element (the rest), fields, then per candidate: slots, url, fragment
-- Returns: OK | DUP | FULL
-- Invariants: a job is in `live` if and only if its element is in a list; at most `slots` leases per replica.
--include now
--include lease
--include pool
--include recent
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
  return redis.call('ZSCORE', KEYS[1], ARGV[1]) and 'DUP' or 'FULL'
end
local tracked = ARGV[6] ~= ''
if not tracked and KEYS[4] ~= '' and redis.call('EXISTS', KEYS[4]) == 1 then return 'DUP' end
if redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[1]) == 0 then return 'DUP' end

local fragment, inflight, load = '', '', ''
if #KEYS > 7 then
  local now, entries = now_ms(), read_pool(KEYS[7])
  local candidates = {}
  for place = 8, #KEYS, 3 do
    local argument = place - 1
    local alive = redis.call('HMGET', KEYS[place + 2], 'state', 'until')
    local entry = entries[ARGV[argument + 1]]
    if alive[1] == 'up' and tonumber(alive[2] or 0) > now and not (entry and entry.drained) then
      candidates[#candidates + 1] = {
        inflight = KEYS[place], load = KEYS[place + 1], url = ARGV[argument + 1], fragment = ARGV[argument + 2],
        slots = tonumber(ARGV[argument]), entry = entry,
      }
    end
  end

  -- Fewest leases among those `slots_of` gives room to.
  local function least_loaded(slots_of)
    local best, fewest = nil, nil
    for _, candidate in ipairs(candidates) do
      local room = slots_of(candidate)
      if room > 0 then
        local held = redis.call('ZCOUNT', candidate.inflight, '(' .. now, '+inf')
        if held < room and (best == nil or held < fewest) then best, fewest = candidate, held end
      end
    end
    return best
  end

  local best
  for _, candidate in ipairs(candidates) do
    local entry = candidate.entry
    if wants_probe(entry, now) then
      entry.state, entry.probe, entry.probe_until = 'half_open', ARGV[1], now + (entry.probe_ms or 0)
      redis.call('HSET', KEYS[7], candidate.url, cjson.encode(entry))
      -- Marked, so that the replica lets it in without asking: {"worker_name":…,"url":…,"probe":true}
      candidate.fragment = string.sub(candidate.fragment, 1, -3) .. ',"probe":true},'
      best = candidate
      break
    end
  end
  if best == nil and redis.call('LLEN', KEYS[3]) == 0 then
    best = least_loaded(function(candidate)
      local cap = candidate.entry and candidate.entry.cap or candidate.slots
      return is_closed(candidate.entry) and math.min(candidate.slots, cap) or 0
    end)
    if best == nil then
      local forced = forced_slots(candidates)
      best = least_loaded(function(candidate) return forced[candidate.url] or 0 end)
    end
  end
  if best then
    fragment, inflight, load = best.fragment, best.inflight, best.load
    redis.call('ZREMRANGEBYSCORE', inflight, '-inf', now)
    redis.call('ZADD', inflight, ARGV[2], ARGV[1])
    mirror_load(inflight, load)
  end
end

if tracked then
  if redis.call('DEL', KEYS[4]) == 0 then list_recent(KEYS[6], ARGV[1]) end
  redis.call('SADD', KEYS[5], ARGV[1])
  redis.call('HSET', KEYS[4], unpack(cjson.decode(ARGV[6])))
  -- A document may wait for hours behind others; its status must not be forgotten before its end.
  local remaining = math.ceil((tonumber(ARGV[2]) - now_ms()) / 1000)
  redis.call('EXPIRE', KEYS[4], math.max(3600, remaining + 60))
end
local pushed = redis.pcall('RPUSH', KEYS[2], ARGV[4] .. fragment .. ARGV[5])
if type(pushed) == 'table' and pushed.err then
  redis.call('ZREM', KEYS[1], ARGV[1])
  release_lease(inflight, load, ARGV[1])
  if tracked then
    redis.call('DEL', KEYS[4])
    redis.call('SREM', KEYS[5], ARGV[1])
    redis.call('LREM', KEYS[6], 1, ARGV[1])
  end
  return pushed
end
return 'OK'
