-- Keep a rendered result as long as its job is kept, in the version that it was rendered from.
-- KEYS[1]  the job, a string "version status\nbody"
-- KEYS[2]  the job's results, a hash: format and pages -> result
-- ARGV[1]  the version that was rendered
-- ARGV[2]  format and pages
-- ARGV[3]  the result
-- Returns  1 if kept, 0 if the job is not kept any more or in another version
local kept = redis.call('GETRANGE', KEYS[1], 0, 20)
if string.match(kept, '^%d+') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], math.max(1, redis.call('PTTL', KEYS[1])))
return 1
