-- Reads a trace, CSV on standard input (ts,user,action,amount,end_ts, and a
-- header), into the table trace, its rows numbered from 1.

CREATE UNLOGGED TABLE trace (
	n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	ts timestamptz NOT NULL,
	user_id text,
	action text NOT NULL,
	amount bigint NOT NULL,
	end_ts timestamptz
);
\copy trace (ts, user_id, action, amount, end_ts) FROM pstdin WITH (FORMAT csv, HEADER)
