-- A dead list keeps its newest letters: at most a thousand, at most 16 MiB together. Their bytes are counted in a
-- hash beside it. Where that hash knows of another number of letters than there are, somebody else wrote to the
-- list, and the letters are counted anew: once, and of the newest no more than are kept.
local max_letters, max_bytes = 1000, 16 * 1024 * 1024

local function count_letters(dead, size)
  local letters = redis.call('LLEN', dead)
  local known = redis.call('HMGET', size, 'letters', 'bytes')
  if tonumber(known[1] or 0) == letters then return letters, tonumber(known[2] or 0) end
  local kept, bytes = 0, 0
  while kept < letters and kept < max_letters do
    local length = #redis.call('LINDEX', dead, -1 - kept)
    if bytes + length > max_bytes then break end
    kept, bytes = kept + 1, bytes + length
  end
  if kept == 0 then redis.call('DEL', dead) else redis.call('LTRIM', dead, -kept, -1) end
  return kept, bytes
end

local function add_letter(dead, size, letter)
  local letters, bytes = count_letters(dead, size)
  redis.call('RPUSH', dead, letter)
  letters, bytes = letters + 1, bytes + #letter
  while letters > 1 and (letters > max_letters or bytes > max_bytes) do
    letters, bytes = letters - 1, bytes - #redis.call('LPOP', dead)
  end
  redis.call('HSET', size, 'letters', letters, 'bytes', bytes)
end

local function remove_letter(dead, size, letter)
  local removed = redis.call('LREM', dead, 1, letter)
  -- Nothing to take off; and the text of a negated 0 is '-0', which HINCRBY refuses.
  if removed == 0 then return 0 end
  local left = redis.call('LLEN', dead)
  if left > 0 and tonumber(redis.call('HGET', size, 'letters') or 0) == left + removed then
    redis.call('HINCRBY', size, 'letters', -removed)
    redis.call('HINCRBY', size, 'bytes', -removed * #letter)
  else
    redis.call('DEL', size)
  end
  return removed
end
