/*-------------------------------------------------------------------------
 *
 * env.h
 *		The server's environment variables, as defaults of settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_ENV_H
#define UL_ENV_H

typedef struct UlEnvironment
{
	bool		tracking_enabled;
	bool		limits_enforced;
	bool		analytics_enabled;
	bool		credits_enabled;
	char	   *overrides;		/* as usage_limits.overrides has it */
	char	   *credit_costs;	/* as usage_limits.credit_costs has it */
	char	   *credit_daily_refill;	/* as usage_limits.credit_daily_refill
										 * has it */
} UlEnvironment;

/*
 * Reads the environment; what is not there, or does not parse, has the
 * built-in default.  An entry that does not parse is named in the server's
 * log, with the reason.  The strings live as long as the process.
 */
extern void ul_read_environment(UlEnvironment *environment);

#endif							/* UL_ENV_H */
