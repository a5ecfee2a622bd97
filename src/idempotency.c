/*-------------------------------------------------------------------------
 *
 * idempotency.c
 *		Requests that carry a key are admitted once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "utils/datum.h"
#include "utils/timestamp.h"

#include "gate.h"
#include "guc.h"
#include "idempotency.h"
#include "scan.h"
#include "store.h"
#include "tables.h"

struct UlIdempotency
{
	const char *user_id;
	const char *key;
	bytea	   *digest;
};

typedef struct FindState
{
	bool		found;
	bytea	   *digest;
	Datum		answer;
	TimestampTz created_at;
} FindState;

/* Fields are written with their length, so that no two requests read alike. */
static void
add_string(StringInfo fields, const char *value)
{
	if (value == NULL)
		appendStringInfoString(fields, "-");
	else
		appendStringInfo(fields, "%zu:%s", strlen(value), value);
}

static void
add_number(StringInfo fields, const int64 *value)
{
	if (value == NULL)
		appendStringInfoString(fields, "-;");
	else
		appendStringInfo(fields, INT64_FORMAT ";", *value);
}

static bytea *
digest_of(const char *function, const UlRequest *requests, int count)
{
	bytea	   *digest = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	StringInfoData fields;

	initStringInfo(&fields);
	add_string(&fields, function);
	for (int i = 0; i < count; i++)
	{
		add_string(&fields, requests[i].usage_type);
		add_string(&fields, requests[i].event_subtype);
		add_number(&fields, &requests[i].amount);
		add_number(&fields, requests[i].tokens_used);
		add_number(&fields, requests[i].credits_used);
	}

	SET_VARSIZE(digest, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	if (context == NULL || pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (uint8 *) fields.data, fields.len) < 0 ||
		pg_cryptohash_final(context, (uint8 *) VARDATA(digest), PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute a SHA-256 digest");
	pg_cryptohash_free(context);
	pfree(fields.data);
	return digest;
}

static bool
read_answer(TupleTableSlot *slot, void *arg)
{
	FindState  *state = arg;
	bool		isnull;

	state->found = true;
	state->digest = DatumGetByteaPCopy(slot_getattr(slot, Anum_idempotency_request_digest, &isnull));
	state->answer = slot_getattr(slot, Anum_idempotency_answer, &isnull);
	state->answer = PointerGetDatum(PG_DETOAST_DATUM_COPY(state->answer));
	state->created_at = ul_slot_time(slot, Anum_idempotency_created_at, DT_NOBEGIN);
	return false;
}

static void
refuse_relaxed(const UlRequest *requests, int count)
{
	for (int i = 0; i < count; i++)
	{
		const UlType *type = ul_find_type(requests[i].usage_type);

		if (type != NULL && type->relaxed)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("an idempotency key cannot be used with a relaxed limit"),
					 errdetail("A limit of usage type \"%s\" has durability relaxed.",
							   requests[i].usage_type)));
	}
}

UlIdempotency *
ul_idempotency_begin(const char *function, const char *key,
					 const UlRequest *requests, int count,
					 bool *answered, Datum *answer)
{
	UlIdempotency *idempotency = palloc(sizeof(UlIdempotency));
	FindState	state = {0};
	ScanKeyData keys[2];
	Snapshot	snapshot;

	refuse_relaxed(requests, count);
	idempotency->user_id = requests[0].user_id;
	idempotency->key = key;
	idempotency->digest = digest_of(function, requests, count);

	ul_gate_lock_request(idempotency->user_id, key);
	snapshot = ul_latest_snapshot(false);
	ul_key_text(&keys[0], 1, idempotency->user_id);
	ul_key_text(&keys[1], 2, key);
	ul_scan(UL_USAGE_IDEMPOTENCY, UL_USAGE_IDEMPOTENCY_PKEY, 2, keys, snapshot,
			read_answer, &state);
	ul_release_snapshot(snapshot);

	*answered = false;
	if (!state.found)
		return idempotency;
	if (state.created_at <= ul_now() - ul_idempotency_retention * USECS_PER_SEC)
	{
		/* it is ours to replace: usage_maintain must not delete it meanwhile */
		ul_gate_keep_requests();
		return idempotency;
	}
	if (VARSIZE(state.digest) != VARSIZE(idempotency->digest) ||
		memcmp(state.digest, idempotency->digest, VARSIZE(state.digest)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("idempotency key \"%s\" was used for another request", key)));
	*answered = true;
	*answer = state.answer;
	return idempotency;
}

void
ul_idempotency_remember(const UlIdempotency *idempotency, Datum answer)
{
	UlArgs		args = {0};

	ul_arg_text(&args, idempotency->user_id);
	ul_arg_text(&args, idempotency->key);
	ul_arg_datum(&args, PointerGetDatum(idempotency->digest), false);
	ul_arg_datum(&args, answer, false);
	ul_arg_time(&args, ul_now());
	ul_execute(UL_REMEMBER_KEY, &args);
}
