-- Count a request of a tenant that is being answered, unless the tenant has too many.
-- KEYS[1]  the tenant's requests, a sorted set: request -> when it is forgotten, in milliseconds of Redis' clock
-- ARGV[1]  the request
-- ARGV[2]  the most requests at the same time
-- ARGV[3]  time after which the request is forgotten unless it is refreshed, in milliseconds
-- Returns  1 if it is counted; 0 if the tenant has too many
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
