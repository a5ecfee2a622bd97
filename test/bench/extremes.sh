# Sourced by test/bench/run after the table: many counters, much memory, Redis.

# tps FOLDER OPTION...: transactions a second of pgbench on a server.
tps() {
	folder=$1
	shift
	as_user "$pg/pgbench" -n -M prepared -h "$folder" "$@" 2>/dev/null | sed -n 's/^tps = \([0-9]*\).*/\1/p'
}
ask() { as_user "$pg/psql" -XAtq -h "$1" -d "$2" -c "$3"; }

say "many counters"
many=$work/run_many
mkdir "$many"
chown "$user" "$many"
start_many() {
	start_server many "unix_socket_directories = '$many'" 'fsync = off' "shared_preload_libraries = 'usage_limits'" \
		'usage_limits.worker_enabled = off' 'usage_limits.max_counters = 1000000' 'shared_buffers = 2GB' \
		'max_wal_size = 8GB' 'autovacuum = off'
}
start_many
# users with a row a day for a year, and few with one
for sizes in 'few 1000 1' 'many 13700 365'; do
	# shellcheck disable=SC2086 # the words are arguments
	set -- $sizes
	ask "$many" postgres "CREATE DATABASE $1"
	ask "$many" "$1" "CREATE SCHEMA usage; CREATE EXTENSION usage_limits SCHEMA usage"
	ask "$many" "$1" "SELECT count(usage.usage_set_limit(l, 1000000000, usage_type => 'view'))
		FROM unnest('{views_daily,views_monthly}'::text[]) l" >/dev/null
	ask "$many" "$1" "INSERT INTO usage.usage_counters (user_id, usage_type, bucket_start, amount, events)
		SELECT 'user' || u, 'view', date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - d * interval '1 day', 1, 1
		FROM generate_series(0, $3 - 1) d, generate_series(1, $2) u"
	ask "$many" "$1" 'VACUUM ANALYZE usage.usage_counters'
done
ask "$many" postgres CHECKPOINT
as_user "$pg/pg_ctl" -D "$work/many" -m fast -w stop >/dev/null
rm -rf "$work/many.log"
as_user "$pg/pg_ctl" -D "$work/many" -l "$work/many.log" -w start >/dev/null
next=$tree/test/bench/scripts/check_next.sql
cold=$(tps "$many" -c 1 -t 10000 -D n=0 -f "$next" many)
warm=$(tps "$many" -c 1 -t 10000 -D n=0 -f "$next" many)
few_cold=$(tps "$many" -c 1 -t 1000 -D n=0 -f "$next" few)
few=$(tps "$many" -c 1 -t 10000 -D keys=1000 -f "$tree/test/bench/scripts/check_view.sql" few)
many_warm=$(tps "$many" -c 1 -t 10000 -D keys=1000 -f "$tree/test/bench/scripts/check_view.sql" many)
awk -v cold="$cold" -v warm="$warm" -v few="$few" -v many="$many_warm" -v few_cold="$few_cold" 'BEGIN {
	printf "usage_check_limit with 5,000,000 counter rows ÷ with 1,000, warm: %.2f (at least 0.9)\n", many / few
	printf "the same cold, with a year of history, takes %.1f × as long as warm (at most 5); with 1,000 rows %.1f\n",
		warm / cold, few / few_cold
}'

say "a million counters in memory"
ask "$many" few "SELECT count(*) FROM generate_series(1, 990000) n, usage.usage_check('user' || n, 'view') c WHERE c.allowed" >/dev/null
ask "$many" few "SELECT format('memory for %s hot counters with two limits each (%s in use, %s evicted): %s MiB (at most 256)',
	entries_max, entries_used, evictions, round(memory_bytes / 1048576.0)) FROM usage.usage_limits_stats"
as_user "$pg/pg_ctl" -D "$work/many" -m immediate -w stop >/dev/null

if command -v redis-server >/dev/null; then
	say "Redis"
	as_user redis-server --port 0 --unixsocket "$many/redis" --save '' --appendonly no >/dev/null 2>&1 &
	child=$!
	sleep 1
	script='local n = redis.call("INCR", KEYS[1]); if n > tonumber(ARGV[1]) then redis.call("DECR", KEYS[1]); return 0 end return 1'
	sha=$(as_user redis-cli -s "$many/redis" SCRIPT LOAD "$script")
	for clients in 1 8; do
		redis=$(as_user redis-benchmark -s "$many/redis" -c "$clients" -n 200000 -r 10000 --csv \
			EVALSHA "$sha" 1 user__rand_int__ 1000000000 | sed -n '$s/^"[^"]*","\([0-9.]*\)".*/\1/p')
		ours=$(tps "$work/run_off" -c "$clients" -j 1 -T 4 -D keys=10000 -f "$tree/test/bench/scripts/relaxed.sql" postgres)
		echo "Redis, $clients clients: check and increment by a script: $redis/s; ÷ relaxed consume ($ours/s)"
	done
	as_user redis-cli -s "$many/redis" SHUTDOWN NOSAVE
	wait "$child" || true
	child=
else
	say "no Redis here: not compared"
fi
