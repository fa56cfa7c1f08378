-- Append job ids to the queue, except those that the queue contains already.
-- KEYS[1]  the queue, a list of job ids
-- ARGV     the job ids
-- Returns  how many were appended
local added = 0
if #ARGV == 1 then
  if not redis.call('LPOS', KEYS[1], ARGV[1]) then
    redis.call('RPUSH', KEYS[1], ARGV[1])
    added = 1
  end
  return added
end
local queued = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  queued[id] = true
end
for _, id in ipairs(ARGV) do
  if not queued[id] then
    redis.call('RPUSH', KEYS[1], id)
    added = added + 1
  end
end
return added
