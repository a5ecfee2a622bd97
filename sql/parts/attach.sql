-- Usage that follows the rows of the application's own tables.

CREATE FUNCTION usage_limits_follow() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_follow() IS
'Trigger of attached tables, made by usage_attach: moves users'' levels by what a statement''s rows count. Its arguments, the usage type, the user column, amount and predicate, are the record of the attachment.';

CREATE FUNCTION usage_attach(
	target regclass,
	usage_type text,
	user_column text,
	amount text DEFAULT NULL,
	predicate text DEFAULT NULL
) RETURNS bigint AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_attach IS
'Makes the rows of a table the level of a gauge: triggers move it with every INSERT, UPDATE, DELETE, MERGE, COPY and TRUNCATE, and raise PT429 when a hard limit denies an increase. amount (without one: 1 a row) and predicate (without one: all rows) are columns or immutable expressions over the row, evaluated as the table''s owner. Counts the rows that are there; writers wait meanwhile. Returns how many users'' levels it changed. The caller must own the table (42501); a type with limits of another kind than gauge or rate is 22023, a partition or child 42809, attached already 42710.';

CREATE FUNCTION usage_detach(target regclass, usage_type text) RETURNS void
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_detach IS
'Ends an attachment: removes its triggers. Levels stay as they are. The caller must own the table (42501); one that is not attached to the type is 42704.';

CREATE FUNCTION usage_attachments(
	OUT target regclass,
	OUT usage_type text,
	OUT user_column text,
	OUT amount text,
	OUT predicate text,
	OUT state text
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION usage_attachments() IS
'The attached tables. state is enabled, disabled (a trigger does not fire) or incomplete (a trigger is missing, perhaps on a partition that is new: see usage_repair).';

CREATE FUNCTION usage_drift(
	target regclass DEFAULT NULL,
	OUT user_id text,
	OUT usage_type text,
	OUT counted bigint,
	OUT actual bigint,
	OUT drift bigint
) RETURNS SETOF record AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION usage_drift IS
'Users whose level (counted) is not what the rows of all tables attached to the type add up to (actual), of all attached types or of a table''s; both are read in one snapshot. No rows: all is right. Reads the tables as their owners.';

CREATE FUNCTION usage_repair(target regclass) RETURNS bigint
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_repair IS
'Makes the triggers that an attached table''s new partitions and children lack, and adds to each level of its types the difference that usage_drift shows, with an event. Nobody waits, unless triggers are made. Returns how many levels it changed. A table that is not attached is 42704.';
