-- Cache a result until the cached job expires, if the job still has the version that the result was made from.
-- KEYS[1]  the job, a string "version status\nbody"
-- KEYS[2]  the job's results, a hash: format and pages -> result
-- ARGV[1]  the version that the result was made from
-- ARGV[2]  format and pages
-- ARGV[3]  the result
-- Returns  1 if it was cached; 0 if the job is no longer cached, or has another version
local cached = redis.call('GETRANGE', KEYS[1], 0, 20)
if string.match(cached, '^%d+') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], math.max(1, redis.call('PTTL', KEYS[1])))
return 1
