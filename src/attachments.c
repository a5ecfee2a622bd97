/*-------------------------------------------------------------------------
 *
 * attachments.c
 *		Which tables are attached, as their triggers say.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "parser/parse_func.h"
#include "utils/lsyscache.h"

#include "attachments.h"
#include "schema.h"
#include "store.h"

/* In the order of the bits of ul_trigger_events. */
const UlAttachmentEvent ul_attachment_events[UL_NEVENTS] = {
	{"insert", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT, false, true},
	{"update", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_UPDATE, true, true},
	{"delete", TRIGGER_TYPE_AFTER, TRIGGER_TYPE_DELETE, true, false},
	/* the rows are still there before */
	{"truncate", TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_TRUNCATE, false, false},
};

Oid
ul_follow_function(void)
{
	return LookupFuncName(list_make2(makeString(get_namespace_name(ul_schema()->namespace)),
									 makeString(UL_FOLLOW_FUNCTION)), 0, NULL, false);
}

bool
ul_trigger_follows(const Trigger *trigger, const char *usage_type)
{
	return trigger->tgnargs > UL_ARG_PREDICATE &&
		(usage_type == NULL || strcmp(trigger->tgargs[UL_ARG_USAGE_TYPE], usage_type) == 0);
}

bool
ul_trigger_is_of_child(const Trigger *trigger)
{
	return trigger->tgnargs > UL_ARG_CHILD;
}

static char *
copy_or_null(const char *value)
{
	return *value == '\0' ? NULL : pstrdup(value);
}

UlRowText
ul_trigger_text(const Trigger *trigger)
{
	UlRowText	text = {
		.user_column = pstrdup(trigger->tgargs[UL_ARG_USER_COLUMN]),
		.amount = copy_or_null(trigger->tgargs[UL_ARG_AMOUNT]),
		.predicate = copy_or_null(trigger->tgargs[UL_ARG_PREDICATE]),
	};

	return text;
}

/* The bits of a type's triggers, of those that fire apart. */
static int
find_triggers(Relation rel, const char *usage_type, int *firing)
{
	TriggerDesc *triggers = rel->trigdesc;
	Oid			function = ul_follow_function();
	int			found = 0;

	*firing = 0;
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (trigger->tgfoid != function || !ul_trigger_follows(trigger, usage_type))
			continue;
		for (int j = 0; j < UL_NEVENTS; j++)
			if (trigger->tgtype & ul_attachment_events[j].event)
			{
				found |= 1 << j;
				if (trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
					trigger->tgenabled == TRIGGER_FIRES_ALWAYS)
					*firing |= 1 << j;
			}
	}
	return found;
}

int
ul_trigger_events(Relation rel, const char *usage_type)
{
	int			unused;

	return find_triggers(rel, usage_type, &unused);
}

List *
ul_family(Relation rel, LOCKMODE lockmode)
{
	if (!rel->rd_rel->relhassubclass)
		return list_make1_oid(RelationGetRelid(rel));
	return find_all_inheritors(RelationGetRelid(rel), lockmode, NULL);
}

UlAttachmentState
ul_attachment_state(const UlAttachment *attachment)
{
	Relation	rel = table_open(attachment->relid, AccessShareLock);
	UlAttachmentState state = UL_ATTACHMENT_ENABLED;
	ListCell   *cell;

	foreach(cell, ul_family(rel, AccessShareLock))
	{
		Relation	member = table_open(lfirst_oid(cell), AccessShareLock);
		int			firing;

		if (find_triggers(member, attachment->usage_type, &firing) != UL_ALL_EVENTS)
			state = UL_ATTACHMENT_INCOMPLETE;
		else if (firing != UL_ALL_EVENTS && state == UL_ATTACHMENT_ENABLED)
			state = UL_ATTACHMENT_DISABLED;
		table_close(member, NoLock);
	}
	table_close(rel, NoLock);
	return state;
}

/* Adds a table's attachments to a list, one a type; a child's are its parent's. */
static List *
add_attachments(List *list, Relation rel, Oid function)
{
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];
		UlAttachment *attachment;
		ListCell   *cell;
		bool		known = false;

		if (trigger->tgfoid != function || !ul_trigger_follows(trigger, NULL) ||
			ul_trigger_is_of_child(trigger))
			continue;
		foreach(cell, list)
		{
			attachment = lfirst(cell);
			if (attachment->relid == RelationGetRelid(rel) &&
				strcmp(attachment->usage_type, trigger->tgargs[UL_ARG_USAGE_TYPE]) == 0)
				known = true;
		}
		if (known)
			continue;
		attachment = palloc0(sizeof(UlAttachment));
		attachment->relid = RelationGetRelid(rel);
		attachment->usage_type = pstrdup(trigger->tgargs[UL_ARG_USAGE_TYPE]);
		attachment->text = ul_trigger_text(trigger);
		list = lappend(list, attachment);
	}
	return list;
}

static void
collect_relid(const Datum *values, const bool *nulls, void *arg)
{
	List	  **relids = arg;

	*relids = lappend_oid(*relids, DatumGetObjectId(values[0]));
}

static int
compare_attachments(const ListCell *a, const ListCell *b)
{
	const UlAttachment *left = lfirst(a);
	const UlAttachment *right = lfirst(b);
	int			by_type = strcmp(left->usage_type, right->usage_type);

	if (by_type != 0)
		return by_type;
	return left->relid < right->relid ? -1 : left->relid > right->relid ? 1 : 0;
}

List *
ul_all_attachments(void)
{
	Oid			function = ul_follow_function();
	List	   *relids = NIL;
	List	   *list = NIL;
	ListCell   *cell;
	UlArgs		args = {0};

	ul_arg_datum(&args, ObjectIdGetDatum(function), false);
	ul_execute_rows(UL_TABLES_OF_TRIGGER, &args, collect_relid, &relids);
	foreach(cell, relids)
	{
		/* it may have been dropped meanwhile */
		Relation	rel = try_table_open(lfirst_oid(cell), AccessShareLock);

		if (rel == NULL)
			continue;
		list = add_attachments(list, rel, function);
		table_close(rel, NoLock);
	}
	list_sort(list, compare_attachments);
	return list;
}

List *
ul_types_of_table(const List *attachments, Oid relid)
{
	List	   *types = NIL;
	ListCell   *cell;

	foreach(cell, attachments)
	{
		UlAttachment *attachment = lfirst(cell);

		if ((!OidIsValid(relid) || attachment->relid == relid) &&
			(types == NIL || strcmp(llast(types), attachment->usage_type) != 0))
			types = lappend(types, attachment->usage_type);
	}
	return types;
}
