/*-------------------------------------------------------------------------
 *
 * maintain.h
 *		Work that keeps the tables tidy; no answer depends on it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_MAINTAIN_H
#define UL_MAINTAIN_H

typedef struct UlMaintenance
{
	int64		days_summed;
	int64		partitions_created;
	int64		events_moved;
	int64		rows_folded;
	int64		keys_forgotten;
	int64		holds_forgotten;
	int64		rates_forgotten;
	int64		alerts_forgotten;
	int64		events_deleted; /* past their retention */
	int64		counters_flushed;	/* rows of relaxed limits */
	int64		denials_flushed;	/* rows */
	int64		rates_flushed;	/* states of rate limits */
} UlMaintenance;

/* Does what is due, and counts it. */
extern void ul_maintain(UlMaintenance *done);

/*
 * Writes what shared memory counts and no table has, of at most "most" keys from
 * a place on (0: the first); the next place, or 0 where that was all.
 */
extern uint32 ul_flush(uint32 from, int most, UlMaintenance *done);

#endif							/* UL_MAINTAIN_H */
