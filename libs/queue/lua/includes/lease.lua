-- A replica's load is the number of unexpired leases it holds; `llm:load:<url>` mirrors it for outsiders.
local function mirror_load(inflight, load)
  redis.call('SET', load, redis.call('ZCARD', inflight))
end

local function release_lease(inflight, load, id)
  if inflight == '' then return end
  if redis.call('ZREM', inflight, id) == 1 then mirror_load(inflight, load) end
end
