/*-------------------------------------------------------------------------
 *
 * attach.c
 *		Making, removing and repairing attachments.
 *
 * One lock a usage type keeps two who compare counters with rows from adding
 * the same difference twice.  Whoever attaches also keeps the table's writers
 * out, whose rows no trigger has counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"

#include "attach.h"
#include "attachments.h"
#include "compat.h"
#include "consume.h"
#include "drift.h"
#include "gate.h"
#include "guc.h"
#include "schema.h"

static void
refuse_untracked(void)
{
	if (!ul_tracking_enabled)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("usage is not tracked"),
				 errhint("Turn usage_limits.tracking_enabled on.")));
}

/* A name that is as readable as its length allows, and differs for each type. */
static char *
trigger_name(const char *usage_type, const char *event)
{
	int			length = strlen(usage_type);
	int			room = NAMEDATALEN - 1 - strlen("usage_limits_") - 1 - strlen("truncate");

	if (length <= room)
		return psprintf("usage_limits_%s_%s", usage_type, event);
	return psprintf("usage_limits_%.*s_%08x_%s", pg_mbcliplen(usage_type, length, room - 9), usage_type,
					hash_bytes((const unsigned char *) usage_type, length), event);
}

static TriggerTransition *
transition(const char *name, bool is_new)
{
	TriggerTransition *result = makeNode(TriggerTransition);

	result->name = pstrdup(name);
	result->isNew = is_new;
	result->isTable = true;
	return result;
}

static void
create_trigger(Relation rel, const char *usage_type, const UlRowText *text,
			   int event, bool child)
{
	CreateTrigStmt *statement = makeNode(CreateTrigStmt);

	statement->trigname = trigger_name(usage_type, ul_attachment_events[event].name);
	statement->relation = makeRangeVar(get_namespace_name(RelationGetNamespace(rel)),
									   pstrdup(RelationGetRelationName(rel)), -1);
	statement->args = list_make4(makeString(pstrdup(usage_type)),
								 makeString(pstrdup(text->user_column)),
								 makeString(pstrdup(text->amount == NULL ? "" : text->amount)),
								 makeString(pstrdup(text->predicate == NULL ? "" : text->predicate)));
	if (child)
		statement->args = lappend(statement->args, makeString(pstrdup("child")));
	statement->timing = ul_attachment_events[event].timing;
	statement->events = ul_attachment_events[event].event;
	if (ul_attachment_events[event].old_rows)
		statement->transitionRels = lappend(statement->transitionRels, transition("old_rows", false));
	if (ul_attachment_events[event].new_rows)
		statement->transitionRels = lappend(statement->transitionRels, transition("new_rows", true));
	(void) CreateTrigger(statement, "", RelationGetRelid(rel), InvalidOid, InvalidOid, InvalidOid,
						 ul_follow_function(), InvalidOid, NULL, false, false);
}

static void
check_table(Relation rel)
{
	const char *name = RelationGetRelationName(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table that can be attached", name),
				 errdetail("Views, foreign tables and their like have no triggers that see every change.")));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("temporary table \"%s\" cannot be attached", name)));
	if (getExtensionOfObject(RelationRelationId, RelationGetRelid(rel)) == ul_schema()->extension)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" of usage_limits itself cannot be attached", name)));
}

/*
 * Makes the triggers that a table and its descendants lack.  They are locked:
 * their writers wait.
 */
static void
create_triggers(Relation rel, const char *usage_type, const UlRowText *text)
{
	List	   *members = ul_family(rel, ShareRowExclusiveLock);
	ListCell   *cell;
	Oid			user;
	int			security_context;

	foreach(cell, members)
	{
		Relation	member = table_open(lfirst_oid(cell), NoLock);
		bool		child = RelationGetRelid(member) != RelationGetRelid(rel);
		int			found;

		check_table(member);
		if (member->rd_rel->relowner != rel->rd_rel->relowner)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("table \"%s\" must have the owner of table \"%s\"",
							RelationGetRelationName(member), RelationGetRelationName(rel))));
		found = ul_trigger_events(member, usage_type);

		/* the function is not the table owner's to use, but ours */
		GetUserIdAndSecContext(&user, &security_context);
		SetUserIdAndSecContext(ul_schema()->owner, security_context | SECURITY_LOCAL_USERID_CHANGE);
		for (size_t i = 0; i < UL_NEVENTS; i++)
			if (!(found & (1 << i)))
				create_trigger(member, usage_type, text, i, child);
		SetUserIdAndSecContext(user, security_context);
		table_close(member, NoLock);
	}
	CommandCounterIncrement();
}

/* Opens a table that must be the current user's. */
static Relation
open_own_table(Oid relid, LOCKMODE lockmode)
{
	Relation	rel;

	/* before it is locked, lest anybody lock what is not theirs */
	for (int i = 0; i < 2; i++)
	{
		char	   *name = get_rel_name(relid);

		if (name == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("relation with OID %u does not exist", relid)));
		if (!ul_owns_relation(relid, GetUserId()))
			aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)), name);
		if (i == 0)
			LockRelationOid(relid, lockmode);
	}
	rel = relation_open(relid, NoLock);
	return rel;
}

/*
 * Only levels can follow rows: what happened is not undone by a DELETE.  A rate
 * only looks at increases.
 */
static void
check_type(const char *usage_type)
{
	const UlType *type = ul_type_for_use(usage_type);

	if (type != NULL && type->relaxed)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limits of usage type \"%s\" are relaxed", usage_type),
				 errdetail("What follows rows must commit and roll back with them.")));
	for (int i = 0; type != NULL && i < type->nlimits; i++)
		if (type->limits[i]->kind != UL_KIND_GAUGE && type->limits[i]->kind != UL_KIND_RATE)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("usage type \"%s\" is not a gauge alone", usage_type),
					 errdetail("Limit \"%s\" is of kind %s.", type->limits[i]->limit_type,
							   ul_kind_names[type->limits[i]->kind]),
					 errhint("Attach the table to a usage type of its own.")));
}

int64
ul_attach(Oid relid, const char *usage_type, const UlRowText *text)
{
	Relation	rel;
	UlRowText	checked;
	int64		count;

	refuse_untracked();
	check_type(usage_type);
	ul_gate_lock_attachments(usage_type);
	rel = open_own_table(relid, ShareRowExclusiveLock);
	check_table(rel);
	if (rel->rd_rel->relispartition || has_superclass(relid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is a partition or child of another", RelationGetRelationName(rel)),
				 errdetail("Statements on the parent would not be seen."),
				 errhint("Attach the parent.")));
	checked = ul_row_check(rel, text);
	if (ul_trigger_events(rel, usage_type) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table \"%s\" is already attached to usage type \"%s\"",
						RelationGetRelationName(rel), usage_type),
				 errhint("Call usage_detach first.")));
	create_triggers(rel, usage_type, &checked);
	count = ul_repair_type(usage_type, ul_all_attachments(),
						   psprintf("table \"%s\" attached", RelationGetRelationName(rel)));
	relation_close(rel, NoLock);
	return count;
}

void
ul_detach(Oid relid, const char *usage_type)
{
	Oid			function = ul_follow_function();
	ObjectAddresses *triggers = new_object_addresses();
	Relation	rel;
	ListCell   *cell;
	bool		found = false;

	ul_gate_lock_attachments(usage_type);
	rel = open_own_table(relid, AccessExclusiveLock);
	foreach(cell, ul_family(rel, AccessExclusiveLock))
	{
		Relation	member = relation_open(lfirst_oid(cell), NoLock);
		TriggerDesc *desc = member->trigdesc;

		for (int i = 0; desc != NULL && i < desc->numtriggers; i++)
		{
			Trigger    *trigger = &desc->triggers[i];
			ObjectAddress address;

			/* a child may be attached by itself: it was no child then */
			if (trigger->tgfoid != function || !ul_trigger_follows(trigger, usage_type) ||
				(RelationGetRelid(member) != relid && !ul_trigger_is_of_child(trigger)))
				continue;
			ObjectAddressSet(address, TriggerRelationId, trigger->tgoid);
			add_exact_object_address(&address, triggers);
			found = true;
		}
		relation_close(member, NoLock);
	}
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not attached to usage type \"%s\"",
						RelationGetRelationName(rel), usage_type)));
	relation_close(rel, NoLock);
	performMultipleDeletions(triggers, DROP_RESTRICT, 0);
	free_object_addresses(triggers);
}

int64
ul_repair(Oid relid)
{
	List	   *types = ul_types_of_table(ul_all_attachments(), relid);
	List	   *attachments;
	ListCell   *cell;
	int64		count = 0;

	refuse_untracked();
	if (types == NIL)
		ul_refuse_unattached(relid);
	foreach(cell, types)
		ul_gate_lock_attachments(lfirst(cell));

	/* what somebody else did meanwhile is seen from here on */
	attachments = ul_all_attachments();
	foreach(cell, attachments)
	{
		UlAttachment *attachment = lfirst(cell);
		Relation	rel;

		if (attachment->relid != relid ||
			ul_attachment_state(attachment) != UL_ATTACHMENT_INCOMPLETE)
			continue;
		rel = table_open(relid, ShareRowExclusiveLock);
		create_triggers(rel, attachment->usage_type, &attachment->text);
		table_close(rel, NoLock);
	}
	foreach(cell, ul_types_of_table(attachments, relid))
		count += ul_repair_type(lfirst(cell), attachments, "repaired");
	return count;
}
