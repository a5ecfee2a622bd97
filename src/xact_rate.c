/*-------------------------------------------------------------------------
 *
 * xact_rate.c
 *		Rate limits and the current transaction.
 *
 * At the shared gate a request is one whatever becomes of its transaction.  By
 * the table, a use is part of the transaction: so it is where there is no
 * shared gate, or no room in it; and for whoever has reset the key, or has
 * changed limits or states of rates, which nobody is to feel who does not see
 * those changes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "rate.h"
#include "xact_rate.h"

UlOutcome
ul_xact_use_rates(const UlKey *key, UlRateTest *tests, int ntests)
{
	if (!ul_shared_gate() || key->rates_closed || ul_xact_rates_changed(key))
		return UL_UNAVAILABLE;
	return ul_shared_use_rates(&key->pin, tests, ntests);
}

void
ul_xact_own_rates(UlKey *key)
{
	UlKey	  **level;

	if (!ul_shared_gate() || key->rates_closed)
		return;
	(void) ul_xact_lock(key);
	level = ul_xact_closed();
	key->next_closed = *level;
	*level = key;
	key->rates_closed = true;

	/* a row that it has changed by hand is the state */
	ul_shared_close_rates(&key->pin, ul_xact_rates_marked(key) ? NULL : ul_rate_store);
}

void
ul_xact_read_rate(const char *user_id, const char *usage_type, const char *limit_type,
				  UlRateState *state)
{
	UlKey	   *key = ul_xact_find_key(user_id, usage_type);
	UlPin		look;
	const UlPin *pin = &look;

	if (ul_shared_gate() && !ul_xact_rates_marked(key) && (key == NULL || !key->rates_closed))
	{
		if (key != NULL)
			pin = &key->pin;
		else
			ul_init_pin(&look, user_id, usage_type);
		if (ul_shared_read_rate(pin, limit_type, state))
			return;
	}
	ul_rate_read(user_id, limit_type, state);
}
