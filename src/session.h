/*-------------------------------------------------------------------------
 *
 * session.h
 *		Whether a session still lives.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_SESSION_H
#define UL_SESSION_H

#include "datatype/timestamp.h"

/* This session: its process and when that started. */
extern void ul_this_session(int *pid, TimestampTz *start);

/*
 * Whether the process with that number is the one that started then.  On a
 * standby, where sessions of the primary cannot be seen, always.
 */
extern bool ul_session_lives(int pid, TimestampTz start);

#endif							/* UL_SESSION_H */
