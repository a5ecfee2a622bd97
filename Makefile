EXTENSION = usage_limits
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" usage_limits.control)
MODULE_big = usage_limits

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))

# The install script is these parts, in this order.
SQL_PARTS = $(addprefix sql/parts/, header.sql clock.sql config.sql usage.sql rates.sql \
	triggers.sql functions.sql credits.sql holds.sql attach.sql gate.sql day_sums.sql analytics.sql preview.sql http.sql doctor.sql privileges.sql)
DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA = $(wildcard sql/$(EXTENSION)--*--*.sql)

REGRESS = setup limits_config tiers overrides track check consume enforce \
	holds holds_concurrency holds_by_hand \
	measures windows anniversary sliding rate change preview http corrections bigint errors transactions idempotency \
	counters status members privileges search_path maintain comments \
	attach attach_expressions attach_partitions alerts \
	events anew stat_summary stat_stats stat_explain stat_users stat_top_users stat_trends \
	stat_funnel stat_error_rates stat_distribution stat_anomalies stat_errors \
	credit_spend credit_time credit_refund credit_hold credit_usage credit_hold_usage credit_alerts credit_transactions \
	day_sums doctor import drop_extension cleanup
# Of the servers that the tests start; test/preload.conf is the other.
TEMP_CONFIG ?= test/usage_limits.conf
REGRESS_OPTS = --inputdir=test --temp-instance=./tmp_check --temp-config=$(TEMP_CONFIG)
ISOLATION = race_last_unit race_two_limits race_rollback race_savepoint \
	race_config_change race_repeatable_read race_serializable race_prepared race_hand_edit race_truncate \
	race_opposite_order race_idempotency race_track_never_waits race_corrections \
	race_maintain race_check_never_waits race_attach race_alerts race_rate race_day_sums \
	race_credits race_credits_isolation race_credit_holds race_credit_hold_usage race_credit_alerts race_holds race_hold_ends race_holds_serializable race_members
# With the library preloaded, where a prepared transaction makes nobody wait.
ISOLATION_SHARED = race_last_unit race_two_limits race_rollback race_savepoint \
	race_config_change race_repeatable_read race_serializable race_shared_prepared race_load race_hold_reading race_hand_edit race_truncate \
	race_opposite_order race_idempotency race_track_never_waits race_corrections \
	race_maintain race_check_never_waits race_attach race_alerts race_rate race_day_sums \
	race_credits race_credits_isolation race_credit_holds race_credit_hold_usage race_credit_alerts race_holds race_hold_ends race_holds_serializable race_members
ISOLATION_OPTS = --inputdir=test --outputdir=. --temp-instance=./tmp_check_iso --temp-config=$(TEMP_CONFIG)
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl

PG_CPPFLAGS = -DUSAGE_LIMITS_VERSION='"$(EXTVERSION)"'

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h) usage_limits.control

sql/$(EXTENSION)--$(EXTVERSION).sql: $(SQL_PARTS)
	cat $^ > $@

# Minutes, not a test: see test/bench/run.
.PHONY: bench
bench:
	sh test/bench/run

# Tests that take long, or need a server built from its source: see the scripts.
.PHONY: check-model check-credits check-crash check-assert check-postgres check-mutants
check-model:
	sh test/model/run
check-credits:
	sh test/credits/run
check-crash:
	sh test/crash/run
check-assert:
	sh test/assert/run assert sanitize valgrind
check-postgres:
	sh test/assert/run postgres
check-mutants:
	sh test/mutants/run
