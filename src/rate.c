/*-------------------------------------------------------------------------
 *
 * rate.c
 *		The states of rate limits: a row of usage_rates each.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "rate.h"
#include "scan.h"
#include "store.h"
#include "tables.h"

static bool writing = false;

static bool
read_rate(TupleTableSlot *slot, void *arg)
{
	UlRateState *state = arg;
	bool		isnull;
	Interval   *period = DatumGetIntervalP(slot_getattr(slot, Anum_rate_period, &isnull));

	state->rate.units = ul_slot_int8(slot, Anum_rate_units, 0);
	state->fraction = ul_slot_int8(slot, Anum_rate_fraction, 0);

	state->rate.period = period->time;

	/* a row that somebody wrote by hand and that makes no sense is none */
	if (state->rate.units <= 0 || state->rate.period <= 0 ||
		period->day != 0 || period->month != 0 ||
		state->fraction < 0 || state->fraction >= state->rate.units)
		return false;
	state->arrival_at = ul_slot_time(slot, Anum_rate_arrival_at, DT_NOBEGIN);
	state->written_at = ul_slot_time(slot, Anum_rate_updated_at, DT_NOBEGIN);
	if (TIMESTAMP_NOT_FINITE(state->arrival_at) || TIMESTAMP_NOT_FINITE(state->written_at))
		state->written_at = DT_NOBEGIN;
	return false;
}

void
ul_rate_read(const char *user_id, const char *limit_type, UlRateState *state)
{
	Snapshot	snapshot = ul_latest_snapshot(false);
	ScanKeyData keys[2];

	ul_gcra_init(state);
	ul_key_text(&keys[0], 1, user_id);
	ul_key_text(&keys[1], 2, limit_type);
	ul_scan(UL_USAGE_RATES, UL_USAGE_RATES_PKEY, 2, keys, snapshot, read_rate, state);
	ul_release_snapshot(snapshot);
}

void
ul_rate_store(const char *user_id, const char *limit_type, const UlRateState *state)
{
	UlArgs		args = {0};
	Interval	period = {.time = state->rate.period};

	ul_arg_text(&args, user_id);
	ul_arg_text(&args, limit_type);
	ul_arg_time(&args, state->arrival_at);
	ul_arg_int8(&args, state->fraction);
	ul_arg_int8(&args, state->rate.units);
	ul_arg_datum(&args, IntervalPGetDatum(&period), false);
	ul_arg_time(&args, state->written_at);
	writing = true;
	ul_execute(UL_STORE_RATE, &args);
	writing = false;
}

bool
ul_rate_writing(void)
{
	return writing;
}

void
ul_rate_set_writing(bool value)
{
	writing = value;
}
