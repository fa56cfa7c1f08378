-- Keep a job for its readers unless a later version is kept already, and tell those who wait for it.
-- KEYS[1]  the job, a string "version status\nbody"
-- KEYS[2]  the job's results, a hash that belongs to one version
-- ARGV[1]  version
-- ARGV[2]  status
-- ARGV[3]  body, as readers get it
-- ARGV[4]  milliseconds to keep it
-- ARGV[5]  the channel that waiting readers listen to
-- ARGV[6]  the message for them
-- Returns  1 if kept, 0 if what is there is as late (then it is kept for longer) or later
local kept = redis.call('GETRANGE', KEYS[1], 0, 20)
local version = tonumber(string.match(kept, '^%d+') or '-1')
if version == tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 0
end
if version > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. '\n' .. ARGV[3], 'PX', ARGV[4])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[5], ARGV[6])
return 1
