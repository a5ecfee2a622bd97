/*-------------------------------------------------------------------------
 *
 * gcra.h
 *		Rate limits: the generic cell rate algorithm, pure arithmetic.
 *
 * Nothing here allocates or fails.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GCRA_H
#define UL_GCRA_H

#include "datatype/timestamp.h"

/* So many units in so many microseconds; both are above 0 */
typedef struct UlRate
{
	int64		units;
	int64		period;
} UlRate;

/* How much of a rate limit has been used, as it was when it was written */
typedef struct UlRateState
{
	TimestampTz written_at;		/* DT_NOBEGIN: nothing has been used */
	TimestampTz arrival_at;		/* when all of it will have left */
	int64		fraction;		/* of a microsecond after that, in 1/units */
	UlRate		rate;			/* at which it leaves */
} UlRateState;

/* Nothing has been used. */
extern void ul_gcra_init(UlRateState *state);

/*
 * The most units of which it can be told, as a timestamp, when they will have
 * left.
 */
extern int64 ul_gcra_max_units(const UlRate *rate, TimestampTz at);

/*
 * The state where the rate in force is another than it was written with: what
 * was used then is kept, and leaves at the faster of the two.
 */
extern void ul_gcra_apply(UlRateState *state, const UlRate *rate);

/* Units used at an instant, of which the last may be in part. */
extern int64 ul_gcra_used(const UlRateState *state, TimestampTz at);

/*
 * The first instant at which no more than some units are used, in the past
 * perhaps; DT_NOEND where no timestamp is that late.
 */
extern TimestampTz ul_gcra_falls_to(const UlRateState *state, int64 units);

/* Uses some more at an instant, to leave at a rate from now on. */
extern void ul_gcra_use(UlRateState *state, const UlRate *rate, TimestampTz at, int64 units);

/*
 * Gives back units that were used so many microseconds before the state was
 * written, but for what may have left until then: never more than they took there.
 */
extern void ul_gcra_give_back(UlRateState *state, int64 units, int64 elapsed);

#endif							/* UL_GCRA_H */
