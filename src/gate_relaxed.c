/*-------------------------------------------------------------------------
 *
 * gate_relaxed.c
 *		What the shared gate counts and no table has yet: uses of relaxed types,
 *		and denials.
 *
 * A relaxed use is part of its key's sums at once, and stays whatever becomes
 * of the transaction.  It is added up in a node, one a bucket and subtype, until
 * somebody flushes it: takes the nodes, writes their rows and commits.  What is
 * used meanwhile goes to other nodes.  Who loads the sums adds those nodes that
 * nobody has taken, or whose taker had not committed for the loader's snapshot.
 *
 * shmem.c states the locking protocol.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "gate_entry.h"
#include "gate_load.h"
#include "gate_rate.h"
#include "gate_relaxed.h"

/* Nodes for as many uses, and for their subtypes' names; false if there are none left. */
static bool
alloc_nodes(const UlRelaxedUse *uses, int nuses, UlRef *spare)
{
	int			count = nuses;

	for (int i = 0; i < nuses; i++)
		count += (strlen(uses[i].event_subtype) + UL_NODE_TEXT) / UL_NODE_TEXT;
	*spare = 0;
	while (count-- > 0)
	{
		UlRef		node = ul_alloc_node();

		if (node == 0)
		{
			ul_free_nodes(*spare);
			return false;
		}
		ul_node(node)->next = *spare;
		*spare = node;
	}
	return true;
}

static UlRef
take_spare(UlRef *spare)
{
	UlRef		node = *spare;

	*spare = ul_node(node)->next;
	memset(ul_node(node), 0, sizeof(UlNode));
	return node;
}

/* The text, with its ending zero, in nodes. */
static UlRef
store_text(const char *text, UlRef *spare)
{
	UlRef		first = 0;
	UlRef	   *link = &first;
	size_t		left = strlen(text) + 1;

	while (left > 0)
	{
		size_t		length = Min(left, UL_NODE_TEXT);

		*link = take_spare(spare);
		memcpy(ul_node(*link)->text.text, text, length);
		link = &ul_node(*link)->next;
		text += length;
		left -= length;
	}
	return first;
}

static void
add_times(UlRelaxedNode *node, const UlRelaxedUse *use)
{
	if (use->of_uses && !node->of_uses)
	{
		node->first_at = use->first_at;
		node->last_at = use->last_at;
		node->of_uses = true;
	}
	else if (use->of_uses == node->of_uses)
	{
		node->first_at = Min(node->first_at, use->first_at);
		node->last_at = Max(node->last_at, use->last_at);
	}
}

/* Adds a use to its node, which is made if there is none that nobody has taken. */
static void
add_use(UlEntry *entry, const UlRelaxedUse *use, uint64 subtype, UlRef *spare)
{
	UlRef		ref = entry->relaxed;
	UlRelaxedNode *node;
	int64	   *sums;
	const int64 *amounts = (const int64 *) &use->amounts;

	while (ref != 0 &&
		   (ul_node(ref)->relaxed.xid != 0 || ul_node(ref)->relaxed.subtype != subtype ||
			ul_node(ref)->relaxed.of_members != use->of_members ||
			ul_node(ref)->relaxed.bucket_start != use->bucket_start))
		ref = ul_node(ref)->next;
	if (ref == 0)
	{
		ref = take_spare(spare);
		node = &ul_node(ref)->relaxed;
		node->subtype = subtype;
		node->subtype_text = store_text(use->event_subtype, spare);
		node->bucket_start = use->bucket_start;
		node->of_members = use->of_members;
		node->first_at = use->first_at;
		node->last_at = use->last_at;
		node->of_uses = use->of_uses;
		node->next = entry->relaxed;
		entry->relaxed = ref;
	}
	node = &ul_node(ref)->relaxed;
	add_times(node, use);
	sums = (int64 *) &node->amounts;
	for (size_t i = 0; i < UL_NAMOUNTS; i++)
		sums[i] = ul_add_saturated(sums[i], amounts[i]);

	for (int i = 0; entry->state == UL_ENTRY_LOADED && i < entry->nsums; i++)
		if (!ul_add_to_shared_sum(ul_shared_sum(entry, i), use->bucket_start, subtype,
								  use->amounts.measure))
			ul_make_cold(entry);
}

UlOutcome
ul_shared_use(UlPin *pin, UlAsk ask, UlTest *tests, int ntests,
			  const UlRelaxedUse *uses, int nuses, TimestampTz now)
{
	LWLock	   *lock = ul_partition_lock(pin->hash);
	uint64	   *subtypes = palloc(sizeof(uint64) * Max(nuses, 1));
	UlRef		spare;
	UlRef		ref;
	UlOutcome	outcome;

	ul_shmem_attach();
	for (int i = 0; i < nuses; i++)
		subtypes[i] = ul_subtype_hash(uses[i].event_subtype);
	ul_hash_subtypes(tests, ntests);
	if (!alloc_nodes(uses, nuses, &spare))
		return UL_UNAVAILABLE;
	ref = ul_lock_entry(pin, true);
	if (ref == 0)
	{
		ul_free_nodes(spare);
		return UL_UNAVAILABLE;
	}

	/* a loader takes up what is in the nodes when it ends */
	outcome = ul_answer(ref, pin, ask, tests, ntests);
	for (int i = 0; outcome == UL_ADMITTED && i < nuses; i++)
		add_use(ul_entry(ref), &uses[i], subtypes[i], &spare);
	LWLockRelease(lock);
	ul_free_nodes(spare);
	pfree(subtypes);

	if (outcome == UL_ADMITTED && nuses > 0)
		ul_note_database(true, now);
	if (outcome == UL_AGAIN && !ul_load(pin, tests, ntests, now, true))
		outcome = UL_UNAVAILABLE;
	return outcome;
}

void
ul_shared_deny(const UlPin *pin, int64 limit_id, TimestampTz day, TimestampTz at)
{
	UlRef		spare = ul_alloc_node();
	UlRef		ref;
	UlRef		found;
	UlEntry    *entry;
	UlDenialNode *node;

	if (spare == 0)
		return;
	ref = ul_lock_entry(pin, true);
	if (ref == 0)
	{
		ul_free_node(spare);
		return;
	}
	entry = ul_entry(ref);
	found = entry->denials;
	while (found != 0 &&
		   (ul_node(found)->denial.xid != 0 || ul_node(found)->denial.limit_id != limit_id ||
			ul_node(found)->denial.day != day))
		found = ul_node(found)->next;
	if (found == 0)
	{
		found = spare;
		spare = 0;
		node = &ul_node(found)->denial;
		node->limit_id = limit_id;
		node->day = day;
		node->next = entry->denials;
		entry->denials = found;
	}
	node = &ul_node(found)->denial;
	node->count++;
	node->last_at = Max(node->last_at, at);
	LWLockRelease(ul_partition_lock(pin->hash));
	ul_free_nodes(spare);
	ul_note_database(true, at);
}

bool
ul_shared_name(UlRef ref, char **user_id, char **usage_type)
{
	UlEntry    *entry = ul_entry(ref);
	LWLock	   *lock = ul_lock_place(ref);
	char		text[1024];
	size_t		length = 0;

	if (lock == NULL)
		return false;
	if (entry->name == 0)
	{
		memcpy(text, entry->key.bytes, UL_KEY_BYTES);
		length = UL_KEY_BYTES;
	}
	for (UlRef node = entry->name; node != 0 && length + UL_NODE_TEXT < sizeof(text);
		 node = ul_node(node)->next)
	{
		memcpy(text + length, ul_node(node)->text.text, UL_NODE_TEXT);
		length += UL_NODE_TEXT;
	}
	LWLockRelease(lock);
	text[length] = '\0';
	*usage_type = pstrdup(text);
	*user_id = pstrdup(text + strlen(text) + 1);
	return true;
}

/* The text that is in nodes. */
static void
read_text(UlRef ref, char *text, size_t size)
{
	size_t		length = 0;

	for (; ref != 0 && length + UL_NODE_TEXT < size; ref = ul_node(ref)->next)
	{
		memcpy(text + length, ul_node(ref)->text.text, UL_NODE_TEXT);
		length += UL_NODE_TEXT;
	}
	text[length] = '\0';
}

/* Bytes that a subtype's name takes in nodes at most. */
#define SUBTYPE_BYTES (2 * UL_NODE_TEXT + 1)

/* Uses, denials, or rates, that are taken of one entry at once. */
#define MAX_TAKEN 64

/* Of what was admitted and taken back, since another type's limit denied. */
static bool
is_nothing(const UlAmounts *amounts)
{
	static const UlAmounts nothing = {0};

	return memcmp(amounts, &nothing, sizeof(nothing)) == 0;
}

bool
ul_shared_take(UlPin *pin, uint64 xid, bool rates, UlTaken *taken)
{
	UlEntry    *entry;
	char	   *subtypes = palloc(MAX_TAKEN * SUBTYPE_BYTES);

	taken->uses = palloc(sizeof(UlRelaxedUse) * MAX_TAKEN);
	taken->denials = palloc(sizeof(UlDenials) * MAX_TAKEN);
	taken->rates = palloc(sizeof(UlRateTaken) * MAX_TAKEN);
	taken->more = false;
	taken->nuses = 0;
	taken->ndenials = 0;
	taken->nrates = 0;
	if (!ul_pin_entry(pin))
		return false;
	entry = ul_entry(pin->entry);
	for (UlRef ref = entry->relaxed; ref != 0 && taken->nuses < MAX_TAKEN; ref = ul_node(ref)->next)
	{
		UlRelaxedNode *node = &ul_node(ref)->relaxed;
		char	   *subtype = subtypes + taken->nuses * SUBTYPE_BYTES;

		if (node->xid != 0)
			continue;
		node->xid = xid;
		if (is_nothing(&node->amounts))
			continue;
		read_text(node->subtype_text, subtype, SUBTYPE_BYTES);
		taken->uses[taken->nuses++] = (UlRelaxedUse)
		{
			.bucket_start = node->bucket_start,
				.event_subtype = subtype,
				.of_members = node->of_members,
				.amounts = node->amounts,
				.first_at = node->first_at,
				.last_at = node->last_at,
				.of_uses = node->of_uses,
		};
	}
	for (UlRef ref = entry->denials; ref != 0 && taken->ndenials < MAX_TAKEN; ref = ul_node(ref)->next)
	{
		UlDenialNode *node = &ul_node(ref)->denial;

		if (node->xid != 0)
			continue;
		node->xid = xid;
		taken->denials[taken->ndenials++] = (UlDenials)
		{
			.limit_id = node->limit_id,
				.day = node->day,
				.count = node->count,
				.last_at = node->last_at,
		};
	}
	if (rates)
		taken->nrates = ul_shared_take_rates(entry, xid, taken->rates, MAX_TAKEN);
	taken->more = taken->nuses == MAX_TAKEN || taken->ndenials == MAX_TAKEN ||
		taken->nrates == MAX_TAKEN;
	pin->taken_xid = xid;
	LWLockRelease(ul_partition_lock(pin->hash));
	return true;
}

/*
 * What was taken is nobody's again, and is to be flushed: the worker may have
 * found nothing meanwhile.
 */
static void
give_back(UlEntry *entry, uint64 xid)
{
	for (UlRef ref = entry->relaxed; ref != 0; ref = ul_node(ref)->next)
		if (ul_node(ref)->relaxed.xid == xid)
			ul_node(ref)->relaxed.xid = 0;
	for (UlRef ref = entry->denials; ref != 0; ref = ul_node(ref)->next)
		if (ul_node(ref)->denial.xid == xid)
			ul_node(ref)->denial.xid = 0;
	ul_shared_end_rates(entry, xid, false);

	/* a loader may have taken it for written */
	ul_make_cold(entry);
	ul_note_database(true, GetCurrentTimestamp());
}

void
ul_end_taken(UlEntry *entry, uint64 xid, bool committed)
{
	UlRef	   *link;

	if (!committed)
	{
		give_back(entry, xid);
		return;
	}
	for (link = &entry->relaxed; *link != 0;)
	{
		UlRelaxedNode *node = &ul_node(*link)->relaxed;
		UlRef		ref = *link;

		if (node->xid != xid)
		{
			link = &node->next;
			continue;
		}
		*link = node->next;
		ul_free_nodes(node->subtype_text);
		ul_free_node(ref);
	}
	for (link = &entry->denials; *link != 0;)
	{
		UlRef		ref = *link;

		if (ul_node(ref)->denial.xid != xid)
		{
			link = &ul_node(ref)->next;
			continue;
		}
		*link = ul_node(ref)->next;
		ul_free_node(ref);
	}

	ul_shared_end_rates(entry, xid, true);

	/* a loader that does not see the rows misses the nodes */
	if (entry->state == UL_ENTRY_LOADING)
		entry->marks++;
}

void
ul_shared_give_back(const UlPin *pin)
{
	LWLock	   *lock = ul_partition_lock(pin->hash);

	LWLockAcquire(lock, LW_EXCLUSIVE);
	give_back(ul_entry(pin->entry), pin->taken_xid);
	LWLockRelease(lock);
}

/* Frees what an entry would have to flush into tables that are gone. */
static void
forget_unflushed(UlRef ref, Oid relid)
{
	UlEntry    *entry = ul_entry(ref);
	LWLock	   *lock = ul_lock_place(ref);

	if (lock == NULL)
		return;
	if (entry->key.database == MyDatabaseId && entry->key.relid != relid)
	{
		for (UlRef node = entry->relaxed; node != 0; node = ul_node(node)->next)
			ul_free_nodes(ul_node(node)->relaxed.subtype_text);
		ul_free_nodes(entry->relaxed);
		ul_free_nodes(entry->denials);
		entry->relaxed = 0;
		entry->denials = 0;
		ul_forget_rates_of(entry);
	}
	LWLockRelease(lock);
}

void
ul_shared_forget_others(Oid relid)
{
	UlRef		ref = 0;

	ul_shmem_attach();
	while ((ref = ul_next_entry(ref, InvalidOid)) != 0)
		if (ul_entry(ref)->key.relid != relid)
			forget_unflushed(ref, relid);
}
