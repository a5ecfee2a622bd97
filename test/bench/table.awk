# Prints the table of test/bench/run.  Input: first the lines of the rounds
# (fsync clients keys script successes/s denials/s cpu), then those of the times
# (fsync clients keys script microseconds transactions).
#
# Each script is compared with a floor: the least that PostgreSQL has to do
# for the same effect, and with the seed's transaction.

BEGIN {
	floor["check_limit"] = floor["denied"] = floor["relaxed"] = floor["rate"] = "select_1"
	floor["insert_event"] = floor["insert_unpartitioned"] = "select_1"
	floor["update"] = floor["upsert"] = "select_1"
	floor["consume"] = floor["anniversary"] = floor["rate_durable"] = "upsert"
	floor["hold_settle"] = "consume_twice"
	floor["consume_work"] = "upsert_work"
	floor["consume_event"] = floor["consume_many"] = floor["track"] = "insert_event"
	floor["seed"] = "insert_event"
	floor["spend"] = floor["consume_paid"] = "spend_bare"
	floor["file_attached"] = "file_bare"
	floor["files_attached"] = "files_bare"
}

function cell() {
	return $1 SUBSEP $2 SUBSEP $3 SUBSEP $4
}

# Another script under the same conditions, also where it does not depend on
# the key.
function other(fsync, clients, keys, script) {
	return fsync SUBSEP clients SUBSEP ((fsync, clients, keys, script) in speed ? keys : uniform) SUBSEP script
}

function ratio(mine, theirs) {
	return mine > 0 && theirs > 0 ? sprintf("%.2f", mine / theirs) : "-"
}

# Percentiles from how often each time, up to a second by microseconds, occurs.
function percentile(c, share,   left, time) {
	left = total[c] * share
	for (time = 0; time <= longest[c]; time++)
		if ((c, time) in times && (left -= times[c, time]) <= 0)
			break
	return sprintf("%.3f", time / 1000)
}

FILENAME == rounds_file {
	if (!(cell() in successes))
		order[++ncells] = $0
	successes[cell()] = successes[cell()] " " $5
	denials[cell()] = denials[cell()] " " $6
	cpu[cell()] = cpu[cell()] " " $7
	next
}

{
	times[cell(), $5] += $6
	total[cell()] += $6
	if ($5 > longest[cell()])
		longest[cell()] = $5
}

END {
	for (c in successes)
		speed[c] = median(successes[c]) + median(denials[c])
	for (i = 1; i <= ncells; i++) {
		split(order[i], f, " ")
		group[f[1] " " f[2] " " f[3]] = 1
		if (!((f[1], f[2], f[3]) in seen)) {
			seen[f[1], f[2], f[3]] = 1
			groups[++ngroups] = f[1] " " f[2] " " f[3]
		}
	}
	line = "%-5s %7s %7s  %-20s %9s %8s  %-12s %7s %7s %8s %8s %8s %6s %7s\n"
	printf line, "fsync", "clients", "keys", "script", "success/s", "denied/s", "floor", "÷floor", "÷seed",
		"p50", "p99", "p99.9", "cpu", "÷floor"
	for (g = 1; g <= ngroups; g++)
		for (i = 1; i <= ncells; i++) {
			split(order[i], f, " ")
			if (groups[g] != f[1] " " f[2] " " f[3])
				continue
			c = f[1] SUBSEP f[2] SUBSEP f[3] SUBSEP f[4]
			base = other(f[1], f[2], f[3], floor[f[4]])
			printf line, f[1], f[2], f[3], f[4],
				sprintf("%.0f", median(successes[c])), sprintf("%.0f", median(denials[c])),
				floor[f[4]] == "" ? "-" : floor[f[4]], ratio(speed[c], speed[base]),
				ratio(speed[c], speed[other(f[1], f[2], f[3], "seed")]),
				percentile(c, 0.5), percentile(c, 0.99), percentile(c, 0.999),
				sprintf("%.1f", median(cpu[c])), ratio(median(cpu[base]), median(cpu[c]))
		}
}
