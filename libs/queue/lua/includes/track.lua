-- Writes fields (JSON object; null removes one) of the hash that tells the world about a tracked job. An ended
-- job is kept an hour; one under way as long as admit has granted, which is beyond its deadline, and at least
-- an hour.
local function track(job, fields)
  if job == '' then return end
  local changes = cjson.decode(fields)
  for name, value in pairs(changes) do
    if value == cjson.null then redis.call('HDEL', job, name) else redis.call('HSET', job, name, value) end
  end
  if changes.completed_at or redis.call('TTL', job) < 3600 then redis.call('EXPIRE', job, 3600) end
end

local function has_ended(status)
  return status == 'completed' or status == 'failed' or status == 'cancelled'
end
