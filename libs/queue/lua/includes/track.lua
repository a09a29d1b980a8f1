-- Writes fields (JSON object) of the hash that tells the world about a tracked job, and keeps it another hour.
local function track(job, fields)
  if job == '' then return end
  for name, value in pairs(cjson.decode(fields)) do redis.call('HSET', job, name, value) end
  redis.call('EXPIRE', job, 3600)
end
