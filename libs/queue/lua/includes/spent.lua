-- Tokens of the minute and the day that `now` falls into, as KEYS[1] has them; those of an earlier one are none.
local function spent_tokens(key, now)
  local seen = redis.call('HMGET', key, 'minute', 'minute_tokens', 'day', 'day_tokens')
  local minute, day = math.floor(now / 60000), math.floor(now / 86400000)
  return {
    minute = minute,
    minute_tokens = tonumber(seen[1]) == minute and tonumber(seen[2]) or 0,
    day = day,
    day_tokens = tonumber(seen[3]) == day and tonumber(seen[4]) or 0,
  }
end
