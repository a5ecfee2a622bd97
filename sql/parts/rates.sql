-- What has been used of rate limits.
--
-- As usage_counters, without CHECK constraints: a row is written by every use
-- where the library is not preloaded.

CREATE TABLE usage_rates (
	user_id text COLLATE "C" NOT NULL,
	limit_type text COLLATE "C" NOT NULL,
	arrival_at timestamptz NOT NULL,
	fraction bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL,
	period interval NOT NULL,
	updated_at timestamptz NOT NULL DEFAULT usage_now(),
	PRIMARY KEY (user_id, limit_type)
) WITH (fillfactor = 50);
COMMENT ON TABLE usage_rates IS 'The states of rate limits (GCRA, ITU-T I.371). A user without a row, or with an arrival_at in the past, has used nothing. Where the library is preloaded, shared memory is ahead of it by at most usage_limits.flush_interval.';
COMMENT ON COLUMN usage_rates.user_id IS 'The user.';
COMMENT ON COLUMN usage_rates.limit_type IS 'The limit.';
COMMENT ON COLUMN usage_rates.arrival_at IS 'The theoretical arrival time: when everything used so far will have left. What is used now is (arrival_at - now) × units ÷ period.';
COMMENT ON COLUMN usage_rates.fraction IS 'What arrival_at lacks of a microsecond, in 1/units.';
COMMENT ON COLUMN usage_rates.units IS 'Units that leave in a period, as the limit was when the row was written.';
COMMENT ON COLUMN usage_rates.period IS 'The period in which so many units leave.';
COMMENT ON COLUMN usage_rates.updated_at IS 'When the row was written.';
