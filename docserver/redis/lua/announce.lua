-- Queue jobs of one client, except those that are queued already, and give the client a place in the ring.
-- KEYS[1]  the ring, a list of clients; the next one to be served comes first
-- KEYS[2]  the clients in the ring, a set
-- KEYS[3]  the queued jobs, a hash: job id -> client
-- KEYS[4]  the client's queue, a list of job ids
-- ARGV[1]  the client
-- ARGV[2…] the job ids
-- Returns  how many were queued
local ring, clients, jobs, queue, client = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]

-- The keys may contradict each other if one of them was deleted or evicted. If the client's queue is gone, its jobs are
-- queued anew. If the ring or its set is gone, both are made anew: each client gets its place with its next announcement.
local lost = redis.call('EXISTS', queue) == 0
if redis.call('LLEN', ring) ~= redis.call('SCARD', clients) then
  redis.call('DEL', ring, clients)
end

local added = 0
for i = 2, #ARGV do
  if redis.call('HSETNX', jobs, ARGV[i], client) == 1 or lost then
    redis.call('RPUSH', queue, ARGV[i])
    added = added + 1
  end
end

if redis.call('SADD', clients, client) == 1 then
  -- The last client in the ring is the one that was served last, perhaps just now. The new one comes before it.
  local last = redis.call('RPOP', ring)
  redis.call('RPUSH', ring, client)
  if last then
    redis.call('RPUSH', ring, last)
  end
end
return added
