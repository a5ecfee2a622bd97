/*-------------------------------------------------------------------------
 *
 * errors.h
 *		The SQLSTATEs of our own; mistakes are errors of the standard
 *		classes.
 *
 * PT429 and PT402 are what PostgREST turns into the HTTP statuses 429 and
 * 402.  A denial is never 40001 or 40P01: a client that retries those would
 * retry a denial for ever.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_ERRORS_H
#define UL_ERRORS_H

#include "utils/elog.h"

#define ERRCODE_USAGE_LIMIT_EXCEEDED	MAKE_SQLSTATE('P', 'T', '4', '2', '9')
#define ERRCODE_INSUFFICIENT_CREDITS	MAKE_SQLSTATE('P', 'T', '4', '0', '2')

#endif							/* UL_ERRORS_H */
