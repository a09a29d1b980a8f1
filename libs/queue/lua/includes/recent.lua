-- The thousand newest tracked jobs, newest first.
local function list_recent(recent, id)
  redis.call('LPUSH', recent, id)
  redis.call('LTRIM', recent, 0, 999)
end
