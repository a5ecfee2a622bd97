/*-------------------------------------------------------------------------
 *
 * guc.h
 *		The settings, usage_limits.*.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GUC_H
#define UL_GUC_H

#include "datatype/timestamp.h"

typedef enum UlGlobalEnforcement
{
	UL_ENFORCEMENT_ON,
	UL_ENFORCEMENT_SHADOW,		/* would-be denials are allowed, and say so */
	UL_ENFORCEMENT_OFF			/* counted, nothing refused */
} UlGlobalEnforcement;

typedef enum UlOnTrackError
{
	UL_TRACK_ERROR,
	UL_TRACK_WARNING
} UlOnTrackError;

extern bool ul_analytics_enabled;
extern bool ul_credits_enabled;
extern char *ul_default_tier;
extern int	ul_enforcement;
extern int	ul_event_retention; /* seconds; 0: for good */
extern int	ul_grace_period;	/* seconds */
extern int	ul_idempotency_retention;	/* seconds */
extern int	ul_max_counters;
extern int	ul_flush_interval;	/* milliseconds */
extern bool ul_worker_enabled;
extern int	ul_on_track_error;
extern bool ul_strict_names;
extern bool ul_tracking_enabled;
extern char *ul_users_table;

/* Defines the settings; called once, when the library is loaded. */
extern void ul_guc_init(void);

/*
 * The instant that decisions take as now: the server's clock, or
 * usage_limits.test_clock.
 */
extern TimestampTz ul_now(void);

/*
 * True when usage_limits.overrides has a value for the limit and tier, which
 * goes to *value.
 */
extern bool ul_setting_override(const char *limit_type, const char *tier, int64 *value);

/* True when usage_limits.overrides names the tier for any limit. */
extern bool ul_setting_names_tier(const char *tier);

/* True when usage_limits.credit_costs has a price for the type, which goes to *credits. */
extern bool ul_setting_credit_cost(const char *usage_type, int64 *credits);

/* Whether usage_limits.credit_daily_refill gives any tier something. */
extern bool ul_setting_has_daily_refills(void);

/* The credits that usage_limits.credit_daily_refill gives a tier; 0: none. */
extern int64 ul_setting_daily_refill(const char *tier);

#endif							/* UL_GUC_H */
