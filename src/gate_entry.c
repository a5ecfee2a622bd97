/*-------------------------------------------------------------------------
 *
 * gate_entry.c
 *		The entries of the shared gate: how they are found by their keys.
 *
 * shmem.c states the locking protocol.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/hashfn.h"
#include "common/sha2.h"
#include "miscadmin.h"

#include "gate_entry.h"
#include "schema.h"

uint64
ul_subtype_hash(const char *event_subtype)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) event_subtype,
										   strlen(event_subtype), ul_shmem_seed());

	return hash == 0 ? 1 : hash;
}

void
ul_hash_subtypes(UlTest *tests, int ntests)
{
	for (int i = 0; i < ntests; i++)
		tests[i].sum->subtype_hash = tests[i].sum->event_subtype == NULL ? 0 :
			ul_subtype_hash(tests[i].sum->event_subtype);
}

static void
make_key(UlEntryKey *key, const UlPin *pin)
{
	size_t		type_length = strlen(pin->usage_type) + 1;
	size_t		user_length = strlen(pin->user_id);

	memset(key, 0, sizeof(*key));
	key->database = MyDatabaseId;
	key->relid = ul_schema()->oid[UL_USAGE_COUNTERS];
	if (type_length + user_length < UL_KEY_BYTES)
	{
		memcpy(key->bytes, pin->usage_type, type_length);
		memcpy(key->bytes + type_length, pin->user_id, user_length);
	}
	else
	{
		pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);

		if (context == NULL || pg_cryptohash_init(context) < 0 ||
			pg_cryptohash_update(context, (const uint8 *) pin->usage_type, type_length) < 0 ||
			pg_cryptohash_update(context, (const uint8 *) pin->user_id, user_length) < 0 ||
			pg_cryptohash_final(context, (uint8 *) key->bytes, PG_SHA256_DIGEST_LENGTH) < 0)
			elog(ERROR, "could not compute a SHA-256");
		pg_cryptohash_free(context);
		key->bytes[UL_KEY_BYTES - 1] = 1;
	}
}

void
ul_init_pin(UlPin *pin, const char *user_id, const char *usage_type)
{
	memset(pin, 0, sizeof(*pin));
	pin->user_id = user_id;
	pin->usage_type = usage_type;
	pin->hash = ul_gate_hash(user_id, usage_type);
	pin->slot = -1;
	if (ul_shmem_exists())
		make_key(&pin->key, pin);
}

/* The names of a key that is a SHA-256, in nodes; false if there are none left. */
static bool
make_name(const UlPin *pin, UlRef *name)
{
	char		text[2 * UL_KEY_BYTES + 1024];
	size_t		length;

	*name = 0;
	if (pin->key.bytes[UL_KEY_BYTES - 1] == 0)
		return true;
	length = strlen(pin->usage_type) + 1;
	memcpy(text, pin->usage_type, length);
	strlcpy(text + length, pin->user_id, sizeof(text) - length);
	length += strlen(text + length) + 1;
	for (size_t to = length; to > 0;)
	{
		size_t		from = (to - 1) / UL_NODE_TEXT * UL_NODE_TEXT;
		UlRef		node = ul_alloc_node();

		if (node == 0)
		{
			ul_free_nodes(*name);
			return false;
		}
		memcpy(ul_node(node)->text.text, text + from, to - from);
		ul_node(node)->next = *name;
		*name = node;
		to = from;
	}
	return true;
}

UlRef
ul_lock_entry(const UlPin *pin, bool make)
{
	LWLock	   *lock = ul_partition_lock(pin->hash);
	UlRef		ref;
	UlRef		fresh;
	UlRef		name;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	ref = pin->entry != 0 ? pin->entry : ul_find_entry(&pin->key, pin->hash);
	if (ref != 0)
	{
		ul_entry(ref)->used = true;
		return ref;
	}
	LWLockRelease(lock);
	if (!make || !make_name(pin, &name))
		return 0;
	fresh = ul_alloc_entry();
	if (fresh == 0)
	{
		ul_free_nodes(name);
		return 0;
	}

	/* somebody else may have made it */
	LWLockAcquire(lock, LW_EXCLUSIVE);
	ref = ul_find_entry(&pin->key, pin->hash);
	if (ref == 0)
	{
		ref = fresh;
		ul_link_entry(ref, &pin->key, pin->hash);
		ul_entry(ref)->name = name;
	}
	else
	{
		ul_free_nodes(name);
		ul_free_entry(fresh);
	}
	return ref;
}

uint32
ul_entry_generation(const UlEntry *entry)
{
	return ul_relation_generation(entry->key.relid) + ul_triggers_version();
}

UlSharedSum *
ul_shared_sum(UlEntry *entry, int number)
{
	UlRef		ref = entry->more_sums;

	if (number < UL_INLINE_SUMS)
		return &entry->sums[number];
	number -= UL_INLINE_SUMS;
	while (number >= UL_NODE_SUMS)
	{
		ref = ul_node(ref)->next;
		number -= UL_NODE_SUMS;
	}
	return &ul_node(ref)->sums.sums[number];
}
