-- Take the first job of the client that was just moved to the end of the ring. A client without jobs leaves the ring. A
-- client with a weight above 1 comes back to the front until it has had as many turns in a row.
-- KEYS[1]  the ring, a list of clients
-- KEYS[2]  the clients in the ring, a set
-- KEYS[3]  the queued jobs, a hash: job id -> client
-- KEYS[4]  the client's queue, a list of job ids
-- KEYS[5]  the weights other than 1, a hash: client -> weight
-- KEYS[6]  the turns that clients with such weights have had in a row, a hash: client -> turns
-- ARGV[1]  the client
-- ARGV[2]  the most ids to look at; this limits how long the script blocks Redis
-- Returns  a job id; nil if none of the ids is that of a queued job
local ring, clients, jobs, queue, weights, turns = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local client = ARGV[1]

local function count_turn()
  local weight = tonumber(redis.call('HGET', weights, client) or 1)
  if weight > 1 and redis.call('HINCRBY', turns, client, 1) < weight then
    -- From the end, because the client is there.
    if redis.call('LREM', ring, -1, client) == 1 then
      redis.call('LPUSH', ring, client)
    end
  else
    redis.call('HDEL', turns, client)
  end
end

for _ = 1, tonumber(ARGV[2]) do
  local id = redis.call('LPOP', queue)
  if not id then
    redis.call('SREM', clients, client)
    redis.call('LREM', ring, -1, client)
    redis.call('HDEL', turns, client)
    return nil
  end
  -- A job that was removed is no longer in the hash, but its id stays in the list until now.
  if redis.call('HDEL', jobs, id) == 1 then
    count_turn()
    return id
  end
end
return nil
