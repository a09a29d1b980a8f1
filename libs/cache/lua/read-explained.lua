#!lua
-- read-explained: the parts that are kept of one query's story.
-- KEYS: stories, order
-- ARGV: keep_ms, query, then per part: part
-- Returns: a value (or nil) per part; an empty list when nothing is kept of the query, or it is too old
-- Invariants: changes nothing.
local since = redis.call('ZSCORE', KEYS[2], ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if not since or tonumber(since) <= now - tonumber(ARGV[1]) then return {} end
local values = {}
for place = 3, #ARGV do values[place - 2] = redis.call('HGET', KEYS[1], ARGV[place] .. ' ' .. ARGV[2]) end
return values
