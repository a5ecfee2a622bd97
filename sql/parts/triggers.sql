CREATE FUNCTION usage_limits_config_complete() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_config_complete() IS 'Trigger: derives what a new limit does not say from its name, and refuses what makes no sense (22023).';
CREATE FUNCTION usage_limits_override_check() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_override_check() IS 'Trigger: refuses an override that makes no sense (22023).';
CREATE FUNCTION usage_limits_touch() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_touch() IS 'Trigger: keeps updated_at and status_since.';
CREATE FUNCTION usage_limits_changed() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_changed() IS 'Trigger: tells every session, when the transaction commits, that what it has cached of this table is old.';
CREATE FUNCTION usage_limits_counted() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_counted() IS 'Trigger: tells every session, when the transaction commits, that counters or the states of rates were changed other than by the functions, and at once that something is held; and marks days in usage_days whose counters change after they were over.';
CREATE FUNCTION usage_limits_log_change() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_log_change() IS 'Trigger: writes usage_config_log.';
CREATE FUNCTION usage_limits_member_check() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_member_check() IS 'Trigger: refuses that accounts nest (22023).';
CREATE FUNCTION usage_limits_read_only() RETURNS trigger
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION usage_limits_read_only() IS 'Trigger: refuses to write the view user_usage (55000).';

CREATE TRIGGER complete BEFORE INSERT OR UPDATE ON usage_limits_config
	FOR EACH ROW EXECUTE FUNCTION usage_limits_config_complete();
CREATE TRIGGER override_check BEFORE INSERT OR UPDATE ON usage_limit_overrides
	FOR EACH ROW EXECUTE FUNCTION usage_limits_override_check();
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON user_subscriptions
	FOR EACH ROW EXECUTE FUNCTION usage_limits_touch();
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON usage_types
	FOR EACH ROW EXECUTE FUNCTION usage_limits_touch();

-- ENABLE ALWAYS: changes that logical replication applies count as well.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON usage_limits_config
	FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON usage_limits_config
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON usage_limit_overrides
	FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON usage_limit_overrides
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON usage_types
	FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON usage_types
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON usage_actions
	FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON usage_actions
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON usage_alerts
	FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON usage_alerts
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON user_subscriptions
	FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON user_subscriptions
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON usage_resets
	FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON usage_resets
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON usage_members
	FOR EACH ROW EXECUTE FUNCTION usage_limits_changed();
CREATE TRIGGER truncated AFTER TRUNCATE ON usage_members
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_changed();
-- when the whole statement is done, so that its rows see one another
CREATE TRIGGER member_check AFTER INSERT OR UPDATE ON usage_members
	FOR EACH ROW EXECUTE FUNCTION usage_limits_member_check();

CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE ON usage_counters
	FOR EACH ROW EXECUTE FUNCTION usage_limits_counted();
CREATE TRIGGER truncated AFTER TRUNCATE ON usage_counters
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_counted();

CREATE TRIGGER changing BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON usage_rates
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_counted();
CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE ON usage_rates
	FOR EACH ROW EXECUTE FUNCTION usage_limits_counted();

ALTER TABLE usage_rates ENABLE ALWAYS TRIGGER changing;
ALTER TABLE usage_rates ENABLE ALWAYS TRIGGER counted;
ALTER TABLE usage_counters ENABLE ALWAYS TRIGGER counted;
ALTER TABLE usage_counters ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE usage_limits_config ENABLE ALWAYS TRIGGER changed;
ALTER TABLE usage_limits_config ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE usage_limit_overrides ENABLE ALWAYS TRIGGER changed;
ALTER TABLE usage_limit_overrides ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE usage_types ENABLE ALWAYS TRIGGER changed;
ALTER TABLE usage_types ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE usage_actions ENABLE ALWAYS TRIGGER changed;
ALTER TABLE usage_actions ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE usage_alerts ENABLE ALWAYS TRIGGER changed;
ALTER TABLE usage_alerts ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE user_subscriptions ENABLE ALWAYS TRIGGER changed;
ALTER TABLE user_subscriptions ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE usage_resets ENABLE ALWAYS TRIGGER changed;
ALTER TABLE usage_resets ENABLE ALWAYS TRIGGER truncated;
ALTER TABLE usage_members ENABLE ALWAYS TRIGGER changed;
ALTER TABLE usage_members ENABLE ALWAYS TRIGGER truncated;

-- UPDATE and DELETE only: an INSERT is in the table itself, and a restore would log it again.
CREATE TRIGGER log_change AFTER UPDATE OR DELETE ON usage_limits_config
	FOR EACH ROW EXECUTE FUNCTION usage_limits_log_change();
CREATE TRIGGER log_change AFTER UPDATE OR DELETE ON usage_limit_overrides
	FOR EACH ROW EXECUTE FUNCTION usage_limits_log_change();
CREATE TRIGGER log_change AFTER UPDATE OR DELETE ON user_subscriptions
	FOR EACH ROW EXECUTE FUNCTION usage_limits_log_change();

-- The row triggers make the view writable as far as the planner is concerned;
-- the statement trigger refuses before any row is looked for.
CREATE TRIGGER read_only_row INSTEAD OF INSERT OR UPDATE OR DELETE ON user_usage
	FOR EACH ROW EXECUTE FUNCTION usage_limits_read_only();
CREATE TRIGGER read_only BEFORE INSERT OR UPDATE OR DELETE ON user_usage
	FOR EACH STATEMENT EXECUTE FUNCTION usage_limits_read_only();
