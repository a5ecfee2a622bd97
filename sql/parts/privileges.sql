-- PUBLIC gets nothing; usage_grant gives each part what it needs.

REVOKE ALL ON FUNCTION
	credit_available, credit_balance, credit_grant, credit_grants, credit_hold, credit_refill, credit_refund,
	credit_spend, credit_statement, credit_void, usage_adjust, usage_anomalies,
	usage_attach, usage_attachments, usage_check, usage_check_action, usage_check_limit,
	usage_consume, usage_consume_many, usage_detach, usage_distribution, usage_doctor,
	usage_drift, usage_enforce, usage_error_rates, usage_explain, usage_funnel,
	usage_grant, usage_headers, usage_hold, usage_import, usage_install_defaults,
	usage_limits_append_only, usage_limits_changed, usage_limits_config_complete,
	usage_limits_cost_check, usage_limits_count_users, usage_limits_counted,
	usage_limits_entries, usage_limits_first_day, usage_limits_follow, usage_limits_given,
	usage_limits_log_change, usage_limits_max_rows, usage_limits_member_check,
	usage_limits_override_check,
	usage_limits_previewed, usage_limits_read_only, usage_limits_replay,
	usage_limits_session_lives, usage_limits_stat, usage_limits_stats_reset,
	usage_limits_sum_days, usage_limits_tier,
	usage_limits_touch, usage_limits_version, usage_maintain, usage_now, usage_preview,
	usage_problem, usage_reconcile, usage_refund, usage_release, usage_release_all,
	usage_renew, usage_repair, usage_reset, usage_revoke, usage_set_gauge,
	usage_set_limit, usage_set_member, usage_set_override, usage_set_tier, usage_settle, usage_stats,
	usage_status, usage_summary, usage_top_users, usage_track, usage_trends, usage_users
	FROM PUBLIC;
REVOKE USAGE ON TYPE usage_decision, credit_decision FROM PUBLIC;

-- Data that a dump must carry, each table with the sequence behind it.

SELECT pg_extension_config_dump('usage_limits_config', '');
SELECT pg_extension_config_dump('usage_limits_config_id_seq', '');
SELECT pg_extension_config_dump('usage_limit_overrides', '');
SELECT pg_extension_config_dump('usage_limit_overrides_id_seq', '');
SELECT pg_extension_config_dump('usage_types', '');
SELECT pg_extension_config_dump('usage_actions', '');
SELECT pg_extension_config_dump('user_subscriptions', '');
SELECT pg_extension_config_dump('user_subscriptions_id_seq', '');
SELECT pg_extension_config_dump('usage_members', '');
SELECT pg_extension_config_dump('usage_alerts', '');
SELECT pg_extension_config_dump('usage_alerts_id_seq', '');
SELECT pg_extension_config_dump('usage_config_log', '');
SELECT pg_extension_config_dump('usage_config_log_id_seq', '');
SELECT pg_extension_config_dump('usage_counters', '');
SELECT pg_extension_config_dump('usage_events', '');
SELECT pg_extension_config_dump('usage_events_default', '');
SELECT pg_extension_config_dump('usage_events_id_seq', '');
SELECT pg_extension_config_dump('usage_resets', '');
SELECT pg_extension_config_dump('usage_idempotency', '');
SELECT pg_extension_config_dump('usage_holds', '');
SELECT pg_extension_config_dump('usage_rates', '');
SELECT pg_extension_config_dump('usage_denials', '');
SELECT pg_extension_config_dump('usage_alert_log', '');
SELECT pg_extension_config_dump('usage_alert_log_id_seq', '');
SELECT pg_extension_config_dump('user_credits', '');
SELECT pg_extension_config_dump('user_credits_id_seq', '');
SELECT pg_extension_config_dump('credit_grants', '');
SELECT pg_extension_config_dump('credit_grants_id_seq', '');
SELECT pg_extension_config_dump('credit_transactions', '');
SELECT pg_extension_config_dump('credit_transactions_id_seq', '');
SELECT pg_extension_config_dump('credit_draws', '');
SELECT pg_extension_config_dump('credit_costs', '');
SELECT pg_extension_config_dump('credit_costs_id_seq', '');
