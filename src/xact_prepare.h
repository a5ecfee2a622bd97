/*-------------------------------------------------------------------------
 *
 * xact_prepare.h
 *		PREPARE TRANSACTION of a transaction that has used something.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_XACT_PREPARE_H
#define UL_XACT_PREPARE_H

#include "xact.h"

/*
 * Raises an error (0A000) if the transaction with these keys has done what is
 * ended right by its own session only.
 */
extern void ul_xact_refuse_prepare(const UlKey *keys, bool all_rates_marked);

/*
 * Has others find, until the prepared transaction has ended, that it changes rows
 * of these keys; and with a relation, of all keys.
 */
extern void ul_xact_hold_prepared(const UlKey *keys, Oid marked_relation);

#endif							/* UL_XACT_PREPARE_H */
