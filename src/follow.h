/*-------------------------------------------------------------------------
 *
 * follow.h
 *		What the triggers of attached tables do.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_FOLLOW_H
#define UL_FOLLOW_H

#include "commands/trigger.h"

/* Whether a trigger is as ul_attach makes them. */
extern bool ul_is_follower(const TriggerData *trigger);

/*
 * Moves the level of each user of a statement's rows by what they count:
 * decreases are recorded, increases decided; raises PT429 for a denied one.
 */
extern void ul_follow(const TriggerData *trigger);

#endif							/* UL_FOLLOW_H */
