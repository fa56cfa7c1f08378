-- How many turns come before that of a queued job, if every client in the ring has enough jobs.
-- KEYS[1]  the ring, a list of clients
-- KEYS[2]  the queue of the job's client, a list of job ids
-- ARGV[1]  the job id
-- ARGV[2]  the most ids to look at
-- Returns  the number of turns; at least this many if the job stands behind the ids looked at
local before = redis.call('LPOS', KEYS[2], ARGV[1], 'MAXLEN', ARGV[2]) or tonumber(ARGV[2])
return (before + 1) * math.max(1, redis.call('LLEN', KEYS[1])) - 1
