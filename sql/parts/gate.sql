CREATE FUNCTION usage_limits_stat(OUT admitted bigint, OUT denied bigint, OUT cold_loads bigint, OUT waits bigint,
	OUT evictions bigint, OUT lock_gate_fallbacks bigint, OUT slot_overflows bigint, OUT flushed bigint,
	OUT track_errors bigint, OUT flush_lag interval, OUT entries_used bigint, OUT entries_max bigint,
	OUT nodes_used bigint, OUT nodes_max bigint, OUT memory_bytes bigint, OUT stats_reset timestamptz) RETURNS record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION usage_limits_stat() IS 'What the view usage_limits_stats shows of shared memory.';

-- The classes of advisory locks are those of gate_lock.c.
CREATE VIEW usage_limits_stats AS
SELECT s.admitted,
	s.denied,
	s.cold_loads,
	s.waits,
	s.evictions,
	s.lock_gate_fallbacks,
	s.slot_overflows,
	s.entries_used,
	s.entries_max,
	s.nodes_used,
	s.nodes_max,
	s.memory_bytes,
	s.flushed,
	s.flush_lag,
	(SELECT min(p.prepared)
		FROM pg_prepared_xacts p
			JOIN pg_locks x ON x.locktype = 'transactionid' AND x.transactionid = p.transaction AND x.pid IS NULL
			JOIN pg_locks l ON l.virtualtransaction = x.virtualtransaction AND l.pid IS NULL
		WHERE l.locktype = 'advisory' AND l.objsubid BETWEEN 29953 AND 29986) AS oldest_prepared,
	s.track_errors,
	s.stats_reset
FROM usage_limits_stat() s;
COMMENT ON VIEW usage_limits_stats IS
'What the library has done since stats_reset: one row, for the whole server and all its databases. All is null but oldest_prepared where the library is not preloaded.';
COMMENT ON COLUMN usage_limits_stats.admitted IS 'Requests to consume that were admitted, whatever became of their transactions.';
COMMENT ON COLUMN usage_limits_stats.denied IS 'Requests to consume that were denied.';
COMMENT ON COLUMN usage_limits_stats.cold_loads IS 'How often the sums of a user and type were read from the table, because they were not in memory, or changed, or of another window.';
COMMENT ON COLUMN usage_limits_stats.waits IS 'How often a session waited for another one to read them.';
COMMENT ON COLUMN usage_limits_stats.evictions IS 'Entries that made room for others. Many: raise usage_limits.max_counters.';
COMMENT ON COLUMN usage_limits_stats.lock_gate_fallbacks IS 'Keys that were locked to the end of a transaction instead: for holds, for what only one at a time may do, and where memory was full.';
COMMENT ON COLUMN usage_limits_stats.slot_overflows IS 'Rows of their own that were written because 64 transactions of one user and type were committing; usage_maintain folds them.';
COMMENT ON COLUMN usage_limits_stats.entries_used IS 'Users and types that have an entry.';
COMMENT ON COLUMN usage_limits_stats.entries_max IS 'How many fit: usage_limits.max_counters.';
COMMENT ON COLUMN usage_limits_stats.nodes_used IS 'Nodes in use: reservations, parts of sliding windows, what is not flushed.';
COMMENT ON COLUMN usage_limits_stats.nodes_max IS 'How many there are.';
COMMENT ON COLUMN usage_limits_stats.memory_bytes IS 'The shared memory that was reserved at start, in bytes.';
COMMENT ON COLUMN usage_limits_stats.flushed IS 'Rows that were written for relaxed limits, denials and states of rates.';
COMMENT ON COLUMN usage_limits_stats.flush_lag IS 'How long what is in memory only has been so; a crash forgets that much of relaxed limits.';
COMMENT ON COLUMN usage_limits_stats.oldest_prepared IS 'When the oldest prepared transaction with usage in it was prepared: what it used counts until it ends.';
COMMENT ON COLUMN usage_limits_stats.track_errors IS 'Calls of usage_track that failed with a warning (usage_limits.on_track_error).';
COMMENT ON COLUMN usage_limits_stats.stats_reset IS 'When the counters were set to 0: at the server''s start, or by usage_limits_stats_reset().';

CREATE FUNCTION usage_limits_stats_reset() RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION usage_limits_stats_reset() IS
'Sets the counters of usage_limits_stats to 0. 55000 where the library is not preloaded.';

CREATE FUNCTION usage_limits_entries(OUT user_id text, OUT usage_type text, OUT state text, OUT measure text,
	OUT window_start timestamptz, OUT window_end timestamptz, OUT one_subtype boolean, OUT committed bigint,
	OUT reserved bigint, OUT pid bigint, OUT status text, OUT amount bigint, OUT since timestamptz, OUT age interval)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION usage_limits_entries() IS 'What the view usage_limits_memory shows.';

CREATE VIEW usage_limits_memory AS SELECT * FROM usage_limits_entries();
COMMENT ON VIEW usage_limits_memory IS
'What shared memory knows of this database''s users: a row for each sum (a measure over a window) of each user and type, and each reservation in it. Who is denied though his usage looks low finds here the transaction that holds the rest. Each entry is of one instant, the whole view is not. Empty where the library is not preloaded.';
COMMENT ON COLUMN usage_limits_memory.user_id IS 'Whose.';
COMMENT ON COLUMN usage_limits_memory.usage_type IS 'Of what.';
COMMENT ON COLUMN usage_limits_memory.state IS 'loaded: the sums are known; loading: being read; cold: to be read by the next who asks.';
COMMENT ON COLUMN usage_limits_memory.measure IS 'What is summed: amount, tokens, credits or duration_ms.';
COMMENT ON COLUMN usage_limits_memory.window_start IS 'The window''s start; null, as the next three, where the sums are not known.';
COMMENT ON COLUMN usage_limits_memory.window_end IS 'The window''s end: the first instant that is not in it; infinity for a sliding one.';
COMMENT ON COLUMN usage_limits_memory.one_subtype IS 'Whether only events of one subtype are summed.';
COMMENT ON COLUMN usage_limits_memory.committed IS 'The sum, as far as it is committed.';
COMMENT ON COLUMN usage_limits_memory.reserved IS 'What transactions that are open or prepared add to it; it counts as used.';
COMMENT ON COLUMN usage_limits_memory.pid IS 'The process of a reservation, as in pg_stat_activity; null for a prepared transaction, or if nobody has reserved anything.';
COMMENT ON COLUMN usage_limits_memory.status IS 'open, committed (and not yet in the sum) or prepared.';
COMMENT ON COLUMN usage_limits_memory.amount IS 'What this reservation adds, less what it takes back.';
COMMENT ON COLUMN usage_limits_memory.since IS 'When it was made.';
COMMENT ON COLUMN usage_limits_memory.age IS 'How long ago that is.';
