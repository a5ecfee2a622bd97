/*-------------------------------------------------------------------------
 *
 * tables.h
 *		Column numbers of our tables, in the order of sql/parts.
 *
 * Columns are only ever added at the end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_TABLES_H
#define UL_TABLES_H

enum
{
	Anum_config_id = 1,
	Anum_config_limit_type,
	Anum_config_free_tier_limit,
	Anum_config_pro_tier_limit,
	Anum_config_team_tier_limit,
	Anum_config_description,
	Anum_config_is_active,
	Anum_config_created_at,
	Anum_config_updated_at,
	Anum_config_enterprise_tier_limit,
	Anum_config_usage_type,
	Anum_config_event_subtype,
	Anum_config_measure,
	Anum_config_kind,
	Anum_config_period,
	Anum_config_alignment,
	Anum_config_time_zone,
	Anum_config_burst,
	Anum_config_durability,
	Anum_config_enforcement
};

enum
{
	Anum_override_id = 1,
	Anum_override_limit_type,
	Anum_override_tier,
	Anum_override_user_id,
	Anum_override_limit_value,
	Anum_override_starts_at,
	Anum_override_expires_at
};

enum
{
	Anum_type_usage_type = 1,
	Anum_type_log_events,
	Anum_type_unit,
	Anum_type_description,
	Anum_type_retention,
	Anum_type_created_at,
	Anum_type_updated_at
};

enum
{
	Anum_action_action = 1,
	Anum_action_usage_type,
	Anum_action_amount
};

enum
{
	Anum_alert_id = 1,
	Anum_alert_limit_type,
	Anum_alert_percent,
	Anum_alert_value,
	Anum_alert_created_at
};

enum
{
	Anum_alert_log_id = 1,
	Anum_alert_log_user_id,
	Anum_alert_log_limit_type,
	Anum_alert_log_alert_id,
	Anum_alert_log_window_start,
	Anum_alert_log_current,
	Anum_alert_log_limit,
	Anum_alert_log_created_at
};

enum
{
	Anum_subscription_id = 1,
	Anum_subscription_user_id,
	Anum_subscription_tier,
	Anum_subscription_stripe_customer_id,
	Anum_subscription_stripe_subscription_id,
	Anum_subscription_status,
	Anum_subscription_started_at,
	Anum_subscription_expires_at,
	Anum_subscription_metadata,
	Anum_subscription_created_at,
	Anum_subscription_updated_at,
	Anum_subscription_time_zone,
	Anum_subscription_anchor_at,
	Anum_subscription_status_since,
	Anum_subscription_event_at
};

enum
{
	Anum_member_user_id = 1,
	Anum_member_account_id,
	Anum_member_created_at
};

enum
{
	Anum_counter_user_id = 1,
	Anum_counter_usage_type,
	Anum_counter_bucket_start,
	Anum_counter_event_subtype,
	Anum_counter_slot,
	Anum_counter_amount,		/* the measures, in the order of UlMeasure */
	Anum_counter_tokens_used,
	Anum_counter_credits_used,
	Anum_counter_duration_ms,
	Anum_counter_events,		/* the rest of UlAmounts */
	Anum_counter_failed_events,
	Anum_counter_cancelled_events,
	Anum_counter_first_at,
	Anum_counter_last_at,
	Anum_counter_member_amount
};

enum
{
	Anum_event_id = 1,
	Anum_event_user_id,
	Anum_event_event_type,
	Anum_event_event_subtype,
	Anum_event_project_id,
	Anum_event_scene_id,
	Anum_event_tokens_used,
	Anum_event_credits_used,
	Anum_event_duration_ms,
	Anum_event_status,
	Anum_event_error_message,
	Anum_event_metadata,
	Anum_event_created_at,
	Anum_event_amount,
	Anum_event_operation,
	Anum_event_bucket_start,
	Anum_event_refund_of,
	Anum_event_account_id,
	Anum_event_account_bucket_start
};

enum
{
	Anum_reset_user_id = 1,
	Anum_reset_usage_type,
	Anum_reset_reset_at
};

enum
{
	Anum_idempotency_user_id = 1,
	Anum_idempotency_key,
	Anum_idempotency_request_digest,
	Anum_idempotency_answer,
	Anum_idempotency_created_at
};

enum
{
	Anum_hold_hold_id = 1,
	Anum_hold_user_id,
	Anum_hold_usage_type,
	Anum_hold_event_subtype,
	Anum_hold_account_id,
	Anum_hold_amount,
	Anum_hold_tokens_used,
	Anum_hold_credits,
	Anum_hold_bucket_start,
	Anum_hold_created_at,
	Anum_hold_expires_at,
	Anum_hold_backend_pid,
	Anum_hold_backend_start,
	Anum_hold_metadata,
	Anum_hold_state,
	Anum_hold_ended_at,
	Anum_hold_settled_amount,
	Anum_hold_settled_tokens,
	Anum_hold_answer,
	Anum_hold_overage,
	Anum_hold_overage_tokens,
	Anum_hold_account_bucket_start
};

enum
{
	Anum_rate_user_id = 1,
	Anum_rate_limit_type,
	Anum_rate_arrival_at,
	Anum_rate_fraction,
	Anum_rate_units,
	Anum_rate_period,
	Anum_rate_updated_at
};

enum
{
	Anum_credits_id = 1,
	Anum_credits_user_id,
	Anum_credits_balance,
	Anum_credits_lifetime_earned,
	Anum_credits_lifetime_spent,
	Anum_credits_last_refill_at,
	Anum_credits_created_at,
	Anum_credits_updated_at,
	Anum_credits_sequence_no,
	Anum_credits_burning_grant_id,
	Anum_credits_burning_left,
	Anum_credits_due_at,
	Anum_credits_refill_due_at,
	Anum_credits_held
};

enum
{
	Anum_grant_id = 1,
	Anum_grant_user_id,
	Anum_grant_transaction_type,
	Anum_grant_amount,
	Anum_grant_remaining,
	Anum_grant_priority,
	Anum_grant_effective_at,
	Anum_grant_expires_at,
	Anum_grant_recurs_every,
	Anum_grant_max_rollover,
	Anum_grant_period_end,
	Anum_grant_voided_at,
	Anum_grant_reference_id,
	Anum_grant_description,
	Anum_grant_metadata,
	Anum_grant_created_at,
	Anum_grant_is_open,
	Anum_grant_has_started,
	Anum_grant_is_daily_refill,
	Anum_grant_granted,
	Anum_grant_lost,
	Anum_grant_sequence_no
};

enum
{
	Anum_transaction_id = 1,
	Anum_transaction_user_id,
	Anum_transaction_amount,
	Anum_transaction_balance_after,
	Anum_transaction_transaction_type,
	Anum_transaction_description,
	Anum_transaction_reference_id,
	Anum_transaction_metadata,
	Anum_transaction_created_at,
	Anum_transaction_sequence_no,
	Anum_transaction_grant_id,
	Anum_transaction_refund_of,
	Anum_transaction_shortfall
};

enum
{
	Anum_draw_user_id = 1,
	Anum_draw_transaction_id,
	Anum_draw_grant_id,
	Anum_draw_amount,
	Anum_draw_shortfall,
	Anum_draw_refund_of,
	Anum_draw_draw_no
};

enum
{
	Anum_cost_id = 1,
	Anum_cost_usage_type,
	Anum_cost_event_subtype,
	Anum_cost_measure,
	Anum_cost_credits,
	Anum_cost_per,
	Anum_cost_charge,
	Anum_cost_created_at
};

#endif							/* UL_TABLES_H */
