/*-------------------------------------------------------------------------
 *
 * events.h
 *		Adding an event to usage_events without a statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_EVENTS_H
#define UL_EVENTS_H

#include "store.h"

/*
 * Adds the event with the columns of usage_events, in their order, to its
 * partition, as an INSERT would.  False, and nothing is done, if only a statement
 * finds the place or heeds all that hangs on the table; what it needs to be locked
 * for the default partition then is.
 */
extern bool ul_add_event(const UlArgs *columns, const Oid *types);

#endif							/* UL_EVENTS_H */
