# Compares what test/bench/run measured with reaches.list.  Input: the lines of
# the rounds, with spaces between their words, then the list, with tabs.

FNR == NR {
	split($0, f, " ")
	cell = f[1] SUBSEP f[2] SUBSEP f[3] SUBSEP f[4]
	# of what is denied always, the denials are what is asked for
	speed[cell] = speed[cell] " " (f[4] ~ /^denied/ ? f[6] : f[5])
	cpu[cell] = cpu[cell] " " f[7]
	next
}

/^#/ || NF < 7 { next }

{
	mine = $3 SUBSEP $4 SUBSEP $5 SUBSEP $1
	other = $3 SUBSEP $4 SUBSEP $5 SUBSEP $2
	if (!(mine in speed) || !(other in speed))
		next
	if (!titled++)
		printf "\n%-9s %9s %9s  %-5s %7s  %s\n", "at least", "reached", "by cpu", "fsync", "clients", "what"
	printf "%-9s %9.2f %9.2f  %-5s %7s  %s\n", $6, median(speed[mine]) / median(speed[other]),
		median(cpu[other]) / median(cpu[mine]), $3, $4, $7
}
