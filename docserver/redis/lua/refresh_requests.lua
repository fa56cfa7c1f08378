-- Keep counting requests of a tenant that are still being answered, also if Redis has lost them.
-- KEYS[1]  the tenant's requests, a sorted set: request -> when it is forgotten, in milliseconds of Redis' clock
-- ARGV[1]  time after which they are forgotten unless they are refreshed again, in milliseconds
-- ARGV[2…] the requests
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
