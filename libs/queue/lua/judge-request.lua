#!lua flags=allow-oom
-- judge-request: judges one request of a key by all its limits at once, and counts it unless one refuses it.
-- Called by whichever gateway the request came to, before it costs anything; what is refused counts nowhere. Requests
-- by GCRA: `tat` is the time at which those so far are paid for at one per interval, and a request may come as long as
-- `tat` is no further ahead than the burst allows. So N gateways let in what one would, to the request: burst + rate × time.
-- Tokens are charged after the answer (charge-tokens); until then the most a question can cost is put by for it, and
-- it is let in if that fits beside what is spent and put by. One whose most is beyond the limit is let in alone, so what
-- goes beyond a limit is one answer. A query (id given: `<any>:<tokens to put by>`) holds one of the concurrent places until its
-- gateway takes it out again, what is put by until it is charged or taken out; or its time is over: a gateway that dies
-- leaks none. Limits of 0 are none. Not refused by a full Redis: `admit` is, behind it.
-- KEYS: spent, queries, reserved
-- ARGV: per_minute, burst, minute_tokens, day_tokens, concurrent, id (empty: no query), lease_ms
-- Returns: word (OK | CONCURRENT | RESERVED | MINUTE_TOKENS | DAY_TOKENS | REQUESTS), wait_ms, then per limit remaining and reset_ms: requests, minute_tokens, day_tokens, concurrent
-- Invariants: at most `concurrent` members of `queries` are not over; in any time t at most burst + rate × t requests;
-- spent + reserved is within the limit of tokens, or one member is all there is in `reserved`.
--include now
--include spent
local per_minute, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local minute_tokens, day_tokens, concurrent = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now, word, wait_ms = now_ms(), 'OK', 0
local held, spent = 0, nil
local most = tonumber(string.match(ARGV[6], ':(%d+)$') or 0)
local is_reserving = most > 0 and (minute_tokens > 0 or day_tokens > 0)

if concurrent > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  held = redis.call('ZCARD', KEYS[2])
  if held >= concurrent then word, wait_ms = 'CONCURRENT', 1000 end
end
if minute_tokens > 0 or day_tokens > 0 then
  spent = spent_tokens(KEYS[1], now)
  if is_reserving then
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
    local reserved = 0
    for _, member in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
      reserved = reserved + tonumber(string.match(member, ':(%d+)$'))
    end
    local is_full = (minute_tokens > 0 and spent.minute_tokens + reserved + most > minute_tokens)
      or (day_tokens > 0 and spent.day_tokens + reserved + most > day_tokens)
    if reserved > 0 and is_full then word, wait_ms = 'RESERVED', 1000 end
  end
  if minute_tokens > 0 and spent.minute_tokens >= minute_tokens then
    word, wait_ms = 'MINUTE_TOKENS', (spent.minute + 1) * 60000 - now
  end
  if day_tokens > 0 and spent.day_tokens >= day_tokens then
    word, wait_ms = 'DAY_TOKENS', (spent.day + 1) * 86400000 - now
  end
end
local interval, tat = 0, now
if per_minute > 0 then
  interval = 60000 / per_minute
  tat = math.max(now, tonumber(redis.call('HGET', KEYS[1], 'tat') or 0))
  local early_ms = tat - now - (burst - 1) * interval
  -- A thousandth: what a double loses of a time in milliseconds.
  if word == 'OK' and early_ms > 0.001 then word, wait_ms = 'REQUESTS', early_ms end
end

if word == 'OK' then
  if per_minute > 0 then
    tat = tat + interval
    redis.call('HSET', KEYS[1], 'tat', string.format('%.3f', tat))
    redis.call('PEXPIRE', KEYS[1], math.max(172800000, math.ceil(tat - now)))
  end
  if concurrent > 0 and ARGV[6] ~= '' then
    redis.call('ZADD', KEYS[2], now + tonumber(ARGV[7]), ARGV[6])
    redis.call('PEXPIRE', KEYS[2], 3600000)
    held = held + 1
  end
  if is_reserving then
    redis.call('ZADD', KEYS[3], now + tonumber(ARGV[7]), ARGV[6])
    redis.call('PEXPIRE', KEYS[3], 3600000)
  end
end

local answer = { word, math.ceil(wait_ms), 0, 0, 0, 0, 0, 0, 0, 0 }
if per_minute > 0 then
  answer[3] = math.max(0, math.floor(burst - (tat - now) / interval + 0.000001))
  -- Until there is one more, when there is none; else until all are there again.
  answer[4] = math.ceil(answer[3] == 0 and math.max(0, tat - now - (burst - 1) * interval) or tat - now)
end
if spent then
  answer[5], answer[6] = math.max(0, minute_tokens - spent.minute_tokens), (spent.minute + 1) * 60000 - now
  answer[7], answer[8] = math.max(0, day_tokens - spent.day_tokens), (spent.day + 1) * 86400000 - now
end
answer[9] = math.max(0, concurrent - held)
return answer
