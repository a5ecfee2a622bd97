/*-------------------------------------------------------------------------
 *
 * alerts.h
 *		Reporting that usage has reached a threshold of a limit, or that a
 *		balance of credits has fallen below one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_ALERTS_H
#define UL_ALERTS_H

#include "datatype/timestamp.h"

/*
 * Called when usage of a type, or what is held of it, has risen: reports each threshold of its limits
 * that is reached and was not reported in the window, now and, with what others
 * have committed by then, when the transaction commits.
 */
extern void ul_alert(const char *user_id, const char *usage_type, TimestampTz now);

/*
 * Reports what transactions missed that committed at the same time, of users
 * of the last days; returns how many thresholds.
 */
extern int64 ul_alert_missed(void);

/*
 * Called when a user's balance has changed, by at least one transaction of the
 * ledger: reports each threshold of credits that it has fallen below, having
 * been as high as "highest" before.
 */
extern void ul_alert_balance(const char *user_id, int64 highest, int64 balance, TimestampTz at);

#endif							/* UL_ALERTS_H */
