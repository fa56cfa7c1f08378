-- Take tokens from a client's bucket. The bucket refills evenly; the time is that of Redis' clock.
-- KEYS[1]  the bucket, a string "tokens microseconds"
-- ARGV[1]  quota: the most tokens that it holds; a new bucket is full
-- ARGV[2]  window: seconds in which an empty bucket fills
-- ARGV[3]  cost: tokens to take; below 0, tokens to give back
-- Returns  {1 if the tokens were taken else 0, whole tokens left, milliseconds until the next whole token,
--           milliseconds until the bucket has enough tokens for the cost}
local quota, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local per_token = window * 1000000 / quota

local tokens = quota
local state = redis.call('GET', KEYS[1])
if state then
  local left, since = string.match(state, '^(%S+) (%S+)$')
  -- If the clock went backwards, nothing is refilled.
  tokens = math.min(quota, tonumber(left) + math.max(0, now - tonumber(since)) / per_token)
end

local taken = 0
if tokens >= cost then
  tokens = math.min(quota, tokens - cost)
  taken = 1
end
-- A missing key means a full bucket, so the key expires when the bucket is full again.
redis.call('SET', KEYS[1], string.format('%.6f %.0f', tokens, now), 'PX', math.ceil((quota - tokens) * per_token / 1000) + 1000)

local whole = math.floor(tokens)
local until_next = whole < quota and (whole + 1 - tokens) * per_token / 1000 or 0
local until_cost = math.max(0, cost - tokens) * per_token / 1000
return {taken, whole, math.ceil(until_next), math.ceil(until_cost)}
