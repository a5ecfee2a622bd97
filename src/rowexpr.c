/*-------------------------------------------------------------------------
 *
 * rowexpr.c
 *		Whose a row of an application's table is, and how much it counts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "rowexpr.h"

/* Being the owner of a table for a while, and what is to be put back then */
typedef struct OwnerState
{
	Oid			user;
	int			security_context;
	int			guc_level;
	bool		snapshot_pushed;
	const char *what;			/* is being looked at, for errors */
	const char *text;			/* that is being parsed, or NULL */
	const char *table;
	bool		checked;		/* the text was right when it was attached */
	ErrorContextCallback callback;
} OwnerState;

static const char *const changed_hint =
"The table has changed since it was attached: call usage_detach and usage_attach.";

/* A position in a text is none in the client's statement. */
static void
add_context(void *arg)
{
	OwnerState *state = arg;
	int			position = geterrposition();

	if (position > 0 && state->text != NULL)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(state->text);
	}
	/* a notice of what is evaluated has no position */
	if (state->checked && position > 0)
		errhint("%s", changed_hint);
	errcontext("%s of attached table \"%s\"", state->what, state->table);
}

static void
begin_as_owner(OwnerState *state, Relation rel)
{
	GetUserIdAndSecContext(&state->user, &state->security_context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, state->security_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	/* what code that is not ours sets is set back */
	state->guc_level = NewGUCNestLevel();
	state->snapshot_pushed = !ActiveSnapshotSet();
	if (state->snapshot_pushed)
		PushActiveSnapshot(GetTransactionSnapshot());

	state->what = "row";
	state->text = NULL;
	state->checked = false;
	state->table = RelationGetRelationName(rel);
	state->callback.callback = add_context;
	state->callback.arg = state;
	state->callback.previous = error_context_stack;
	error_context_stack = &state->callback;
}

static void
end_as_owner(OwnerState *state)
{
	error_context_stack = state->callback.previous;
	if (state->snapshot_pushed)
		PopActiveSnapshot();
	AtEOXact_GUC(false, state->guc_level);
	SetUserIdAndSecContext(state->user, state->security_context);
}

static ParseState *
begin_parse(Relation rel, const char *text)
{
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item = addRangeTableEntryForRelation(pstate, rel, AccessShareLock,
															 NULL, false, true);

	pstate->p_sourcetext = text;
	addNSItemToQuery(pstate, item, false, true, true);
	return pstate;
}

/* The column of that name as an expression, or NULL. */
static Node *
column_of_name(Relation rel, const char *name)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(tupdesc, i);

		if (!column->attisdropped && strcmp(NameStr(column->attname), name) == 0)
			return (Node *) makeVar(1, column->attnum, column->atttypid, column->atttypmod,
									column->attcollation, 0);
	}
	return NULL;
}

/* The one expression that a text is; anything else that could follow SELECT is refused. */
static Node *
raw_expression(const char *text)
{
	List	   *raw = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
	SelectStmt *select = (SelectStmt *) linitial_node(RawStmt, raw)->stmt;
	ResTarget  *target;

	if (!IsA(select, SelectStmt) || list_length(select->targetList) != 1 ||
		select->distinctClause != NIL || select->intoClause != NULL ||
		select->fromClause != NIL || select->whereClause != NULL ||
		select->groupClause != NIL || select->havingClause != NULL ||
		select->windowClause != NIL || select->valuesLists != NIL ||
		select->sortClause != NIL || select->limitOffset != NULL ||
		select->limitCount != NULL || select->lockingClause != NIL ||
		select->withClause != NULL || select->op != SETOP_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" is not an expression", text)));
	target = linitial_node(ResTarget, select->targetList);
	if (target->name != NULL || target->indirection != NIL || IsA(target->val, SetToDefault) ||
		(IsA(target->val, ColumnRef) && IsA(llast(((ColumnRef *) target->val)->fields), A_Star)))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("\"%s\" is not an expression", text)));
	return target->val;
}

/* What a text says, before it is made the type that is needed. */
static Node *
parse_text(ParseState *pstate, Relation rel, const char *text, bool by_name)
{
	Node	   *node = by_name ? column_of_name(rel, text) : NULL;

	if (node == NULL)
		/* like a trigger's WHEN: no subqueries, aggregates or sets */
		node = transformExpr(pstate, raw_expression(text), EXPR_KIND_TRIGGER_WHEN);
	return node;
}

static Node *
make_boolean(ParseState *pstate, Node *node)
{
	return coerce_to_boolean(pstate, node, "predicate");
}

static Node *
make_int8(ParseState *pstate, Node *node)
{
	Oid			type = exprType(node);
	Node	   *number = coerce_to_target_type(pstate, node, type, INT8OID, -1,
											   COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);

	if (number == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("amount must be a number, not type %s", format_type_be(type))));
	return number;
}

static Node *
make_text(ParseState *pstate, Node *node)
{
	Node	   *text = coerce_to_target_type(pstate, node, exprType(node), TEXTOID, -1,
											 COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);

	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("user_column cannot be of type %s", format_type_be(exprType(node)))));
	return text;
}

static Node *
user_column(const OwnerState *state, Relation rel, const char *name)
{
	Node	   *column = column_of_name(rel, name);

	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						name, RelationGetRelationName(rel)),
				 state->checked ? errhint("%s", changed_hint) : 0));
	return column;
}

/* An expression that can be evaluated, of the type that its kind needs. */
static Expr *
finish(ParseState *pstate, Node *node, Node *(*make_type) (ParseState *, Node *))
{
	node = make_type(pstate, node);
	assign_expr_collations(pstate, node);
	return expression_planner((Expr *) node);
}

static void
check_columns(Relation rel, Node *node)
{
	Bitmapset  *columns = NULL;
	int			member = -1;

	pull_varattnos(node, 1, &columns);
	while ((member = bms_next_member(columns, member)) >= 0)
	{
		AttrNumber	column = member + FirstLowInvalidHeapAttributeNumber;

		if (column <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("system columns and whole rows cannot be used here")));
		/* one that is computed when it is read has no value in a trigger */
		if (TupleDescAttr(RelationGetDescr(rel), column - 1)->attgenerated == 'v')
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("virtual generated column \"%s\" cannot be used here",
							NameStr(TupleDescAttr(RelationGetDescr(rel), column - 1)->attname))));
	}
}

/* What a row counts must be the same when it is taken away. */
static void
check_expression(Relation rel, Expr *expr)
{
	check_columns(rel, (Node *) expr);
	if (contain_mutable_functions((Node *) expr))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("functions used here must be marked IMMUTABLE"),
				 errdetail("What a row counts must depend on the row alone.")));
}

static const char *
check_text(OwnerState *state, Relation rel, const char *what, const char *text,
		   Node *(*make_type) (ParseState *, Node *))
{
	ParseState *pstate;
	Node	   *node;
	char	   *result;
	int			path_level;

	if (text == NULL)
		return NULL;
	state->what = what;
	state->text = text;
	pstate = begin_parse(rel, text);
	node = parse_text(pstate, rel, text, true);
	/* columns first: a subexpression may be planned away */
	check_columns(rel, node);
	check_expression(rel, finish(pstate, copyObject(node), make_type));
	/* what is no expression to be stored: an untyped literal gets its type */
	if (exprType(node) == UNKNOWNOID)
		node = make_type(pstate, node);
	assign_expr_collations(pstate, node);

	path_level = ul_push_search_path();
	result = deparse_expression(node, deparse_context_for(RelationGetRelationName(rel),
														  RelationGetRelid(rel)), false, false);
	ul_pop_search_path(path_level);
	free_parsestate(pstate);
	return result;
}

UlRowText
ul_row_check(Relation rel, const UlRowText *text)
{
	OwnerState	state;
	UlRowText	checked;
	ParseState *pstate;

	begin_as_owner(&state, rel);
	state.what = "user_column";
	pstate = begin_parse(rel, NULL);
	check_expression(rel, finish(pstate, user_column(&state, rel, text->user_column), make_text));
	free_parsestate(pstate);
	checked.user_column = text->user_column;
	checked.amount = check_text(&state, rel, "amount", text->amount, make_int8);
	checked.predicate = check_text(&state, rel, "predicate", text->predicate, make_boolean);
	end_as_owner(&state);
	return checked;
}

static Expr *
parse_checked(OwnerState *state, Relation rel, const char *what, const char *text,
			  Node *(*make_type) (ParseState *, Node *))
{
	ParseState *pstate;
	Expr	   *expr;

	if (text == NULL)
		return NULL;
	state->what = what;
	state->text = text;
	pstate = begin_parse(rel, text);
	expr = finish(pstate, parse_text(pstate, rel, text, false), make_type);
	free_parsestate(pstate);
	return expr;
}

UlRowExprs
ul_row_parse(Relation rel, const UlRowText *text)
{
	OwnerState	state;
	UlRowExprs	exprs;
	ParseState *pstate;
	int			path_level;

	begin_as_owner(&state, rel);
	path_level = ul_push_search_path();
	state.checked = true;
	state.what = "user_column";
	pstate = begin_parse(rel, NULL);
	exprs.user_id = finish(pstate, user_column(&state, rel, text->user_column), make_text);
	free_parsestate(pstate);
	exprs.amount = parse_checked(&state, rel, "amount", text->amount, make_int8);
	exprs.predicate = parse_checked(&state, rel, "predicate", text->predicate, make_boolean);
	exprs.columns = NULL;
	pull_varattnos((Node *) list_make3(exprs.user_id, exprs.amount, exprs.predicate), 1,
				   &exprs.columns);
	ul_pop_search_path(path_level);
	end_as_owner(&state);
	return exprs;
}

void
ul_row_evaluate(Relation rel, const UlRowExprs *exprs, Tuplestorestate *rows,
				UlRowSeen seen, void *arg)
{
	OwnerState	state;
	int			path_level;
	EState	   *estate;
	ExprContext *econtext;
	ExprState  *user_id;
	ExprState  *amount;
	ExprState  *predicate;
	TupleTableSlot *slot;

	begin_as_owner(&state, rel);
	path_level = ul_push_search_path();
	estate = CreateExecutorState();
	econtext = GetPerTupleExprContext(estate);
	slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	econtext->ecxt_scantuple = slot;
	user_id = ExecInitExpr(exprs->user_id, NULL);
	amount = ExecInitExpr(exprs->amount, NULL);
	predicate = ExecInitExpr(exprs->predicate, NULL);

	/* others may be reading the same rows */
	tuplestore_select_read_pointer(rows, tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND));
	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		bool		isnull = false;
		Datum		user;
		int64		units = 1;
		MemoryContext previous;
		char	   *name;

		CHECK_FOR_INTERRUPTS();
		ResetExprContext(econtext);
		if (predicate != NULL &&
			(!DatumGetBool(ExecEvalExprSwitchContext(predicate, econtext, &isnull)) || isnull))
			continue;
		user = ExecEvalExprSwitchContext(user_id, econtext, &isnull);
		if (isnull)
			continue;
		if (amount != NULL)
		{
			units = DatumGetInt64(ExecEvalExprSwitchContext(amount, econtext, &isnull));
			if (isnull)
				units = 0;
		}
		previous = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
		name = TextDatumGetCString(user);
		MemoryContextSwitchTo(previous);
		seen(name, units, arg);
	}
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	ul_pop_search_path(path_level);
	end_as_owner(&state);
}

char *
ul_row_query(Relation rel, const UlRowText *text, bool only)
{
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfo(&query, "SELECT %s::pg_catalog.text COLLATE \"C\", pg_catalog.sum(%s",
					 quote_identifier(text->user_column), text->amount == NULL ? "1" : "(");
	if (text->amount != NULL)
		appendStringInfo(&query, "%s)::pg_catalog.int8", text->amount);
	appendStringInfo(&query, ")::pg_catalog.int8, pg_catalog.count(*) FROM %s%s WHERE %s IS NOT NULL",
					 only ? "ONLY " : "",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
												RelationGetRelationName(rel)),
					 quote_identifier(text->user_column));
	if (text->predicate != NULL)
		appendStringInfo(&query, " AND (%s)", text->predicate);
	appendStringInfoString(&query, " GROUP BY 1");
	return query.data;
}
