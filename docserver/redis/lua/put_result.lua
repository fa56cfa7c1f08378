-- Cache a result until the cached job expires, if the job still has the version that the result was made from.
-- KEYS[1]  the job, a string "version status\nbody"
-- KEYS[2]  the job's results, a hash: format -> result
-- ARGV[1]  the version that the result was made from
-- ARGV[2]  the format
-- ARGV[3]  the result
-- ARGV[4]  longest time to live of all results of the job, in milliseconds, from the first one on
-- Returns  1 if it was cached; 0 if the job is no longer cached, or has another version
local cached = redis.call('GETRANGE', KEYS[1], 0, 20)
if string.match(cached, '^%d+') ~= ARGV[1] then
  return 0
end
local left = redis.call('PTTL', KEYS[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
-- A later result must not prolong the life of the earlier ones: the caller limits the bytes that are put within ARGV[4].
if left < 0 then
  redis.call('PEXPIRE', KEYS[2], math.max(1, math.min(tonumber(ARGV[4]), redis.call('PTTL', KEYS[1]))))
end
return 1
