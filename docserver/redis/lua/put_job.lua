-- Cache a job unless a later version is cached, and publish the change to the requests that wait for it.
-- KEYS[1]  the job, a string "version status\nbody"
-- KEYS[2]  the job's results, a hash; they belong to the cached version of the job
-- ARGV[1]  version
-- ARGV[2]  status
-- ARGV[3]  body: the job as JSON for clients
-- ARGV[4]  time to live, in milliseconds
-- ARGV[5]  the channel to publish on
-- ARGV[6]  the message to publish
-- Returns  1 if it was cached; 0 if the same version (its time to live starts again) or a later one is cached
local cached = redis.call('GETRANGE', KEYS[1], 0, 20)
local version = tonumber(string.match(cached, '^%d+') or '-1')
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
