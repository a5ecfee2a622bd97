/*-------------------------------------------------------------------------
 *
 * attachments.h
 *		Which tables are attached, as their triggers say.
 *
 * A table is attached to a usage type by triggers of its own, whose arguments
 * say which rows count for whom and how much: they are the only record of it.
 * So an attachment is renamed, dropped, dumped and restored with its table.
 * Partitions and children have triggers as well, since a statement fires those
 * of the table that it names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UL_ATTACHMENTS_H
#define UL_ATTACHMENTS_H

#include "utils/reltrigger.h"

#include "rowexpr.h"

/* The triggers' function */
#define UL_FOLLOW_FUNCTION "usage_limits_follow"

/* The triggers' arguments, in this order; the last is there on children only. */
enum
{
	UL_ARG_USAGE_TYPE, UL_ARG_USER_COLUMN, UL_ARG_AMOUNT, UL_ARG_PREDICATE, UL_ARG_CHILD
};

/* A trigger of an attachment */
typedef struct UlAttachmentEvent
{
	const char *name;
	int16		timing;			/* as in pg_trigger */
	int16		event;
	bool		old_rows;
	bool		new_rows;
} UlAttachmentEvent;

#define UL_NEVENTS 4
#define UL_ALL_EVENTS ((1 << UL_NEVENTS) - 1)
extern const UlAttachmentEvent ul_attachment_events[UL_NEVENTS];

typedef enum UlAttachmentState
{
	UL_ATTACHMENT_ENABLED,
	UL_ATTACHMENT_DISABLED,		/* a trigger does not fire */
	UL_ATTACHMENT_INCOMPLETE	/* a trigger is missing, here or on a child */
} UlAttachmentState;

typedef struct UlAttachment
{
	Oid			relid;
	char	   *usage_type;
	UlRowText	text;
} UlAttachment;

/* The triggers' function. */
extern Oid	ul_follow_function(void);

/* Whether a trigger with our function is one for a type (NULL: any). */
extern bool ul_trigger_follows(const Trigger *trigger, const char *usage_type);

/* Whether it is there because of the parent's attachment. */
extern bool ul_trigger_is_of_child(const Trigger *trigger);

/* What its arguments say about rows. */
extern UlRowText ul_trigger_text(const Trigger *trigger);

/* Which of a type's triggers a table has, one bit an event. */
extern int	ul_trigger_events(Relation rel, const char *usage_type);

/* A table and its descendants, which are locked. */
extern List *ul_family(Relation rel, LOCKMODE lockmode);

/* All attachments, by type; their tables stay locked against being dropped. */
extern List *ul_all_attachments(void);

/* The types among them that a table (InvalidOid: any) is attached to. */
extern List *ul_types_of_table(const List *attachments, Oid relid);

extern UlAttachmentState ul_attachment_state(const UlAttachment *attachment);

#endif							/* UL_ATTACHMENTS_H */
