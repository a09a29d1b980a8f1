#!lua flags=allow-oom
-- charge-tokens: adds the tokens of an answer to what its key has spent in this minute and this day (UTC).
-- Called by the generator that made the answer, before it tells of it, and by nobody for an answer from a cache. What was
-- put by for the question is given back in the same step, so no other is let in on it meanwhile. Sent again after a lost
-- reply it counts twice, to the disadvantage of the key.
-- KEYS: spent, reserved
-- ARGV: tokens, id (empty: nothing was put by)
-- Returns: OK
-- Invariants: minutes and days begin by Redis' clock, at every gateway the same.
--include now
--include spent
local spent, tokens = spent_tokens(KEYS[1], now_ms()), tonumber(ARGV[1])
redis.call('HSET', KEYS[1], 'minute', spent.minute, 'minute_tokens', spent.minute_tokens + tokens,
  'day', spent.day, 'day_tokens', spent.day_tokens + tokens)
redis.call('PEXPIRE', KEYS[1], 172800000)
if ARGV[2] ~= '' then redis.call('ZREM', KEYS[2], ARGV[2]) end
return 'OK'
