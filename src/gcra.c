/*-------------------------------------------------------------------------
 *
 * gcra.c
 *		Rate limits: the generic cell rate algorithm, pure arithmetic.
 *
 * The algorithm is that of ITU-T Recommendation I.371 and of the ATM Forum's
 * Traffic Management Specification 4.0, in its virtual scheduling form: the
 * state is one instant, the theoretical arrival time, at which everything used
 * so far will have left at the rate of the limit.  (RFC 2697 describes the same
 * as a token bucket.)  With T for the time that one unit takes to leave, n units
 * fit into a limit with capacity b if
 *
 *		max(arrival, now) + n T <= now + b T
 *
 * and if they are used, the left side is the new arrival time.
 *
 * T need not be a whole number of microseconds.  So that nothing is rounded,
 * which would deny the last unit of a capacity, amounts of time are counted in
 * ticks of 1/units of a microsecond: a unit takes "period" ticks to leave, and
 * "units" ticks leave in a microsecond.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "gcra.h"

static int128
divide_up(int128 dividend, int64 divisor)
{
	int128		quotient = dividend / divisor;

	return quotient * divisor < dividend ? quotient + 1 : quotient;
}

/* Ticks from an instant to the arrival time; negative after it. */
static int128
ticks_left(const UlRateState *state, TimestampTz at)
{
	return ((int128) state->arrival_at - at) * state->rate.units + state->fraction;
}

/* What was used when a clock was ahead has not left before that instant. */
static TimestampTz
not_before_written(const UlRateState *state, TimestampTz at)
{
	return Max(at, state->written_at);
}

/* Sets the arrival time, at the rate of the state. */
static void
set_arrival(UlRateState *state, TimestampTz from, int128 ticks)
{
	int128		arrival_at = from + ticks / state->rate.units;

	if (arrival_at >= END_TIMESTAMP)
	{
		state->arrival_at = END_TIMESTAMP - 1;
		state->fraction = 0;
		return;
	}
	state->arrival_at = (TimestampTz) arrival_at;
	state->fraction = (int64) (ticks % state->rate.units);
}

/* The same number of units, in the ticks of another rate. */
static int128
convert_ticks(int128 ticks, const UlRate *from, const UlRate *to)
{
	int128		units = Min(ticks / from->period, PG_INT64_MAX);

	return units * to->period + divide_up((ticks % from->period) * to->period, from->period);
}

void
ul_gcra_init(UlRateState *state)
{
	memset(state, 0, sizeof(*state));
	state->written_at = DT_NOBEGIN;
}

int64
ul_gcra_max_units(const UlRate *rate, TimestampTz at)
{
	int128		ticks = ((int128) END_TIMESTAMP - 1 - at) * rate->units;

	return (int64) Min(ticks / rate->period, PG_INT64_MAX);
}

void
ul_gcra_apply(UlRateState *state, const UlRate *rate)
{
	int128		ticks;

	if (state->written_at == DT_NOBEGIN ||
		(int128) rate->units * state->rate.period <= (int128) state->rate.units * rate->period)
		return;
	ticks = Max(ticks_left(state, state->written_at), 0);
	ticks = convert_ticks(ticks, &state->rate, rate);
	state->rate = *rate;
	set_arrival(state, state->written_at, ticks);
}

int64
ul_gcra_used(const UlRateState *state, TimestampTz at)
{
	int128		ticks;

	if (state->written_at == DT_NOBEGIN)
		return 0;
	ticks = ticks_left(state, not_before_written(state, at));
	return ticks <= 0 ? 0 : (int64) Min(divide_up(ticks, state->rate.period), PG_INT64_MAX);
}

TimestampTz
ul_gcra_falls_to(const UlRateState *state, int64 units)
{
	int128		at;

	if (state->written_at == DT_NOBEGIN)
		return DT_NOBEGIN;
	at = state->arrival_at +
		divide_up(state->fraction - (int128) units * state->rate.period, state->rate.units);
	if (at >= END_TIMESTAMP)
		return DT_NOEND;
	return (TimestampTz) Max(at, MIN_TIMESTAMP);
}

void
ul_gcra_use(UlRateState *state, const UlRate *rate, TimestampTz at, int64 units)
{
	int128		ticks = 0;

	if (state->written_at != DT_NOBEGIN)
	{
		at = not_before_written(state, at);
		ticks = Max(ticks_left(state, at), 0);
		ticks = convert_ticks(ticks, &state->rate, rate);
	}
	state->written_at = at;
	state->rate = *rate;
	set_arrival(state, at, ticks + (int128) units * rate->period);
}

void
ul_gcra_give_back(UlRateState *state, int64 units, int64 elapsed)
{
	int128		ticks = (int128) units * state->rate.period - (int128) elapsed * state->rate.units;

	if (state->written_at == DT_NOBEGIN || ticks <= 0)
		return;
	set_arrival(state, state->written_at, Max(ticks_left(state, state->written_at) - ticks, 0));
}
