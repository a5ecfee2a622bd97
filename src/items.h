/*-------------------------------------------------------------------------
 *
 * items.h
 *		The items of usage_consume_many.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_ITEMS_H
#define UL_ITEMS_H

#include "consume.h"

/*
 * Requests from {"type": amount, …} or [{"usage_type": …, "amount": …}, …];
 * raises 22023 for anything else.
 */
extern UlRequest *ul_parse_items(const char *user_id, Jsonb *items, int *count);

#endif							/* UL_ITEMS_H */
