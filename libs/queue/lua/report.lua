#!lua flags=allow-oom
-- report: what a generator saw of its language model since it last said so; answers what it may take now.
-- Sent every second and at once after a failure, in the same write as the settles, so that a query that goes well
-- costs no command of its own. The only writer of its replica's entry but for admit, which grants probes. A
-- replica that was just taken out has its list returned to the shared one here, and its slots credited to the
-- retry budget: that many queries were in its hands, once. Each first try deposits a tenth of a token.
-- A call counts only if it began since the breaker last opened (`trips` says which time that was): what was still
-- running then says nothing about a probe.
-- An entry that has not been written for `forget_ms` is forgotten by the others' reports; never a person's drain.
-- KEYS: pool, own list, shared list
-- ARGV: url, notes (JSON object), rules (JSON object), jitter
-- Returns: verdict (JSON object)
-- Invariants: an element is in one of the two lists at every moment; a breaker's moves are those of includes/pool.
--include now
--include pool
local now, notes, rules = now_ms(), cjson.decode(ARGV[2]), cjson.decode(ARGV[3])
local entries, budget = read_pool(KEYS[1])
local entry = entries[ARGV[1]] or { state = 'closed', trips = 0, level = 0 }
local found = entry.state
if notes.trips and notes.trips ~= entry.trips then notes.ok, notes.failed, notes.streak = 0, 0, 0 end
entry.seen, entry.slots, entry.worker_name = now, notes.slots, notes.worker_name
-- For admit, which grants the probes and does not know the rules.
entry.probe_ms = rules.probe_ms
entry.first_token_ms, entry.token_ms = notes.first_token_ms, notes.token_ms
budget = math.min(math.max(budget, budget_cap), budget + notes.begun / 10)

local function open(level)
  entry.state, entry.level, entry.trips = 'open', level, entry.trips + 1
  local wait = math.min(rules.max_open_ms, rules.open_ms * 2 ^ level) * tonumber(ARGV[4])
  entry.opened_at, entry.open_until = now, math.floor(now + wait)
  entry.successes, entry.probe, entry.cap = 0, nil, nil
end

local function close()
  entry.state, entry.closed_at = 'closed', now
  entry.probe, entry.opened_at, entry.open_until = nil, nil, nil
  entry.consecutive, entry.ok, entry.failed, entry.ok_before, entry.failed_before = 0, 0, 0, 0, 0
  entry.cap, entry.cap_ok = 1, 0
end

-- Two half windows: the older one is dropped when the newer one is full.
local half = rules.window_ms / 2
if now - (entry.window_at or 0) >= half then
  local fresh = now - (entry.window_at or 0) < 2 * half
  entry.ok_before, entry.failed_before = fresh and entry.ok or 0, fresh and entry.failed or 0
  entry.window_at, entry.ok, entry.failed = now, 0, 0
end
entry.ok, entry.failed = (entry.ok or 0) + notes.ok, (entry.failed or 0) + notes.failed

if entry.state == 'closed' then
  entry.consecutive = (notes.ok > 0 and 0 or entry.consecutive or 0) + notes.streak
  local calls = entry.ok + entry.failed + (entry.ok_before or 0) + (entry.failed_before or 0)
  if entry.cap then
    entry.cap_ok = (entry.cap_ok or 0) + notes.ok
    while entry.cap and entry.cap_ok >= entry.cap do
      entry.cap_ok, entry.cap = entry.cap_ok - entry.cap, entry.cap * 2
      if entry.cap >= notes.slots then entry.cap = nil end
    end
  end
  if notes.streak > 0 and (entry.consecutive >= rules.consecutive
    or (calls >= rules.min_calls and failure_ratio(entry) >= rules.ratio)) then
    local soon = entry.closed_at and now - entry.closed_at < rules.forgive_ms
    open(soon and entry.level + 1 or 0)
    budget = budget + notes.slots
  end
elseif notes.failed > 0 then
  if entry.state == 'half_open' then open(entry.level + 1) end
  entry.successes = 0
else
  if notes.ok > 0 or notes.released then entry.probe = nil end
  entry.successes = (entry.successes or 0) + notes.ok
  if entry.successes >= 2 then close() end
end
if entry.state == 'half_open' and notes.probing then entry.probe_until = now + rules.probe_ms end

entries[ARGV[1]] = entry
-- The pace of the others is the slowest healthy one's: a limit made of it must not call a fair replica slow.
local living, others, first_token, token = {}, 0, nil, nil
for url, other in pairs(entries) do
  local away = now - (other.seen or 0)
  if away < rules.alive_ms and not other.drained then
    living[#living + 1] = { url = url, slots = other.slots or 0, entry = other }
    if url ~= ARGV[1] and is_closed(other) then
      others = others + 1
      if other.first_token_ms then first_token = math.max(first_token or 0, other.first_token_ms) end
      if other.token_ms then token = math.max(token or 0, other.token_ms) end
    end
  elseif away > rules.forget_ms and not other.drained then
    redis.call('HDEL', KEYS[1], url)
  end
end
local slots = math.min(entry.cap or notes.slots, notes.slots)
if entry.drained or notes.leaving then
  slots = 0
elseif entry.state ~= 'closed' then
  slots = forced_slots(living)[ARGV[1]] or 0
end
-- One that is forced into use beside healthy ones gets what admit gives it, but pulls nothing: a replica that fails
-- at once would empty the shared list.
local shared = slots > 0 and (entry.state == 'closed' or others == 0)
-- Who leaves is no longer counted with the living; what a person said of it, and its breaker, stay.
if notes.leaving then entry.seen = now - rules.alive_ms end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(entry), 'budget', budget)
redis.call('PEXPIRE', KEYS[1], 3600000)

if slots == 0 and entry.state ~= 'half_open' then
  for _ = 1, 1000 do
    if not redis.call('LMOVE', KEYS[2], KEYS[3], 'RIGHT', 'LEFT') then break end
  end
end
return cjson.encode({
  state = entry.state, from = found, trips = entry.trips, slots = slots, shared = shared, drained = entry.drained or false,
  others = others, first_token_ms = first_token, token_ms = token, budget = budget,
})
