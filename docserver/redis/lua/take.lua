-- Take the first job of the client that was just moved to the end of the ring. A client without jobs leaves the ring.
-- KEYS[1]  the ring, a list of clients
-- KEYS[2]  the clients in the ring, a set
-- KEYS[3]  the queued jobs, a hash: job id -> client
-- KEYS[4]  the client's queue, a list of job ids
-- ARGV[1]  the client
-- ARGV[2]  the most ids to look at; this limits how long the script blocks Redis
-- Returns  a job id; nil if none of the ids is that of a queued job
local ring, clients, jobs, queue, client = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
for _ = 1, tonumber(ARGV[2]) do
  local id = redis.call('LPOP', queue)
  if not id then
    redis.call('SREM', clients, client)
    -- From the end, because the client is there.
    redis.call('LREM', ring, -1, client)
    return nil
  end
  -- A job that was removed is no longer in the hash, but its id stays in the list until now.
  if redis.call('HDEL', jobs, id) == 1 then
    return id
  end
end
return nil
