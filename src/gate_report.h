/*-------------------------------------------------------------------------
 *
 * gate_report.h
 *		What the shared gate's entries hold, for an administrator to see.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_GATE_REPORT_H
#define UL_GATE_REPORT_H

#include "shmem.h"

/* A sum of an entry; the parts of a sliding window are added up in committed. */
typedef struct UlReportedEntry
{
	char	   *user_id;
	char	   *usage_type;
	UlEntryState state;
	int			nsums;
	UlSharedSum *sums;
	int			nrecords;
	UlRecord   *records;
} UlReportedEntry;

/*
 * Copies the next entry of this database from a place on, of one instant, into
 * memory of the caller's; its place, or 0 if there is none.
 */
extern UlRef ul_report_entry(UlRef from, UlReportedEntry *entry);

/* Whether a record is of what a sum counts. */
extern bool ul_record_counts(const UlRecord *record, const UlSharedSum *sum);

#endif							/* UL_GATE_REPORT_H */
