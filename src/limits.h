/*-------------------------------------------------------------------------
 *
 * limits.h
 *		Which limits there are and what they allow a user: the session's
 *		cache of the configuration.
 *
 * What these functions return stays valid until the transaction ends, even
 * when the cache is built anew meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_LIMITS_H
#define UL_LIMITS_H

#include "amounts.h"
#include "window.h"

typedef enum UlKind
{
	UL_KIND_COUNTER,
	UL_KIND_GAUGE,
	UL_KIND_CONCURRENCY,
	UL_KIND_RATE
} UlKind;

typedef enum UlEnforcement
{
	UL_HARD,
	UL_SOFT,
	UL_SHADOW
} UlEnforcement;

/* Tiers with a column of their own, in the order of this list */
typedef enum UlTierColumn
{
	UL_TIER_FREE,
	UL_TIER_PRO,
	UL_TIER_TEAM,
	UL_TIER_ENTERPRISE,
	UL_NTIERS
} UlTierColumn;

/* In force in [starts_at, expires_at) */
typedef struct UlOverride
{
	char	   *limit_type;
	char	   *tier;			/* NULL for a user's */
	int64		id;
	int64		value;
	TimestampTz starts_at;
	TimestampTz expires_at;
} UlOverride;

/* What usage_alerts calls the balance of credits, as if it were a limit */
#define UL_CREDITS_ALERT "credits"

/* A threshold of a limit, or of credits, that is reported */
typedef struct UlAlert
{
	int64		id;
	char	   *limit_type;		/* NULL: every limit */
	bool		of_credits;
	char	   *percent;		/* as given; NULL: a value is */
	int64		millionths;		/* of a percent */
	int64		value;
	TimestampTz created_at;
} UlAlert;

/* An active limit */
typedef struct UlLimit
{
	int64		id;
	char	   *limit_type;
	char	   *usage_type;
	char	   *event_subtype;	/* NULL: all */
	char	   *description;	/* may be NULL */
	UlMeasure	measure;
	UlKind		kind;
	UlPeriod	period;
	Interval   *interval;		/* NULL: lifetime */
	int64		rate_period;	/* of a rate: microseconds */
	int64		burst;			/* of a rate: units at once; 0: its value */
	pg_tz	   *zone;
	bool		relaxed;
	UlEnforcement enforcement;
	int64		tier_value[UL_NTIERS];
	int			noverrides;
	UlOverride *overrides;		/* of tiers; the one that counts first, first */
	int			nalerts;
	UlAlert   **alerts;
} UlLimit;

/* A usage type and its active limits, by name */
typedef struct UlType
{
	char		usage_type[256];	/* hash key */
	bool		log_events;
	bool		relaxed;
	bool		has_sums;		/* counters or gauges */
	bool		has_gauge;
	bool		has_concurrency;
	bool		has_rate;
	bool		has_alerts;
	int			nlimits;
	UlLimit   **limits;
} UlType;

typedef struct UlAction
{
	char		action[256];	/* hash key */
	char	   *usage_type;
	int64		amount;
} UlAction;

typedef struct UlReset
{
	char	   *usage_type;
	TimestampTz reset_at;
} UlReset;

/* What is known of a user */
typedef struct UlUser
{
	char	   *user_id;		/* hash key */
	char	   *account_id;		/* he belongs to; NULL: none */
	char	   *tier;
	char	   *status;			/* NULL: no subscription */
	TimestampTz status_since;
	TimestampTz started_at;
	TimestampTz expires_at;
	TimestampTz anchor_at;		/* of anniversary windows; DT_NOBEGIN: none */
	pg_tz	   *zone;			/* NULL: the limit's */
	int			noverrides;
	UlOverride *overrides;		/* the one that counts first, first */
	int			nresets;
	UlReset    *resets;
} UlUser;

typedef enum UlSource
{
	UL_SOURCE_CONFIG,
	UL_SOURCE_SETTING,
	UL_SOURCE_TIER_OVERRIDE,
	UL_SOURCE_USER_OVERRIDE
} UlSource;

extern const char *const ul_measure_names[UL_NMEASURES];
extern const char *const ul_kind_names[UL_KIND_RATE + 1];
extern const char *const ul_source_names[];
extern const char *const ul_tier_names[UL_NTIERS];

/* Position of a name in a NULL-terminated list, or -1. */
extern int	ul_name_index(const char *const *names, int count, const char *name);

/*
 * A number that changes whenever an answer of this file may have: of two
 * calls with the same number in between, the second need not be made.
 */
extern uint64 ul_limits_generation(void);

/* The limit of that name, or NULL if there is none that is active. */
extern const UlLimit *ul_find_limit(const char *limit_type);

/* All thresholds, by id; their number. */
extern int	ul_all_alerts(const UlAlert **alerts);

/* The type's row and limits, or NULL if nothing is known of it. */
extern const UlType *ul_find_type(const char *usage_type);

/* All active limits, by limit_type; the number goes to *count. */
extern UlLimit *const *ul_all_limits(int *count);

/* Calls "inactive" for each limit of the type that is not active. */
extern void ul_inactive_limits(const char *usage_type,
							   void (*inactive) (const char *limit_type, void *arg), void *arg);

/* The action of that name, or NULL. */
extern const UlAction *ul_find_action(const char *action);

/*
 * For a type without limits: the limit whose name, or whose name without
 * the period, this is, though it counts another type; NULL if none.
 */
extern const UlLimit *ul_find_misnamed(const char *usage_type);

/* A user's facts; never NULL. */
extern const UlUser *ul_find_user(const char *user_id);

/*
 * The tier that counts at an instant for what a subscription says; status is
 * NULL where there is none.
 */
extern const char *ul_subscription_tier(const char *tier, const char *status, TimestampTz status_since,
										TimestampTz started_at, TimestampTz expires_at,
										TimestampTz at);

/* The tier that counts for a user at an instant. */
extern const char *ul_effective_tier(const UlUser *user, TimestampTz at);

/* The limit's value for a user at an instant, and where it comes from. */
extern int64 ul_limit_value(const UlLimit *limit, const UlUser *user, TimestampTz at,
							UlSource *source);

/*
 * The window of a limit that counts for a user at an instant, as ul_window_at,
 * and where a bucket that is written then must not start before.
 */
extern UlWindow ul_limit_window(const UlLimit *limit, const UlUser *user, TimestampTz at);
extern TimestampTz ul_limit_bucket_floor(const UlLimit *limit, const UlUser *user, TimestampTz at);

/* The latest reset of a user's type that lies at or before an instant, or DT_NOBEGIN. */
extern TimestampTz ul_last_reset(const UlUser *user, const char *usage_type, TimestampTz at);

/* Whether a column, an override in the table, or a setting names the tier. */
extern bool ul_tier_is_known(const char *tier);

/*
 * Length of the part of a limit's name that comes before its period's suffix;
 * *suffix is the position in the list of suffixes, or -1.
 */
extern int	ul_base_name_length(const char *limit_type, int *suffix);

#endif							/* UL_LIMITS_H */
