#!lua flags=no-writes
-- state: everything that stands in the given keys, as one moment saw it, for proofs (src/interleavings).
-- A time is told as `+` (to come) or `-` (passed): the model knows no clock. What should go by itself and has no
-- time to live is marked, and the number of keys shows the one that nobody names.
-- KEYS: then per key: key
-- ARGV: kinds (a letter per key: List, Zset of times, Set, Hash, Text; small when it must have a time to live)
-- Returns: per key a text, then the number of keys in the database
-- Invariants: changes nothing.
--include now
local now, out = now_ms(), {}
local function sign(time) return tonumber(time) > now and '+' or '-' end
local function rows(flat, render)
  local lines = {}
  for place = 1, #flat, 2 do lines[#lines + 1] = render(flat[place], flat[place + 1]) end
  table.sort(lines)
  return table.concat(lines, '\n')
end
local readers = {
  l = function(key)
    local elements = redis.pcall('LRANGE', key, 0, -1)
    return elements.err and '(obstacle)' or table.concat(elements, '\n')
  end,
  z = function(key)
    local entries = redis.pcall('ZRANGE', key, 0, -1, 'WITHSCORES')
    return entries.err and '(obstacle)' or rows(entries, function(member, time) return member .. ' ' .. sign(time) end)
  end,
  s = function(key)
    local members = redis.call('SMEMBERS', key)
    table.sort(members)
    return table.concat(members, '\n')
  end,
  h = function(key)
    return rows(redis.call('HGETALL', key), function(name, value)
      return name .. '=' .. (name == 'until' and sign(value) or value)
    end)
  end,
  t = function(key) return redis.call('GET', key) or '' end,
}
for place, key in ipairs(KEYS) do
  local kind = string.sub(ARGV[1], place, place)
  local small = string.lower(kind)
  local text = readers[small](key)
  if kind == small and text ~= '' and redis.call('TTL', key) < 0 then text = text .. '\n(stays for ever)' end
  out[place] = text
end
out[#out + 1] = tostring(redis.call('DBSIZE'))
return out
