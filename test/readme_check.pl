#!/usr/bin/perl
# The checks of test/readme, which see: on the server that the environment
# names, whose database app is empty.
#
# In README.md
# - a block ```sql is run.  All run in order in one session; a block ```sql first
#   runs before it in a session of its own, as it sets what new sessions have.
# - a block ```text right after it is what psql prints for it, but for white
#   space at the ends of lines.  A block without one must run without an error
#   and without a warning.
# - a comment "<!-- sql" to "-->" is run like a block: what the reader has already.
# - a block ```yaml holds queries, one a line: each must run.
# - what stands between "<!-- catalog: WHAT -->" and "<!-- end -->" is written by
#   this script from the catalog.
#
# Prints a line a case in the form of the Test Anything Protocol, then how many
# passed and failed.
use strict;
use warnings;
use utf8;
use open qw(:std :encoding(UTF-8));
use File::Temp;

my ($tree, $write) = @ARGV;
my $path = "$tree/README.md";

sub slurp
{
	my $file = shift;
	open(my $handle, '<', $file) or die "$file: $!\n";
	local $/;
	return scalar <$handle>;
}

my ($cases, $failures) = (0, 0);

# ok(NAME, PROBLEM...): a case, passed when there is no problem.
sub ok
{
	my ($name, @problems) = @_;
	$cases++;
	$failures++ if @problems;
	print @problems ? 'not ok' : 'ok', " $cases - $name\n";
	print map { "# $_\n" } map { split /\n/ } @problems;
}

# psql's answer to a script, errors included; options need no quoting.
sub psql
{
	my ($script, $options) = (shift, shift // '');
	my $file = File::Temp->new();
	binmode($file, ':encoding(UTF-8)');
	print $file $script;
	close $file;
	return scalar `psql -X -q $options <$file 2>&1`;
}

# The rows of a query, each a list of strings.
sub rows
{
	my $query = shift;
	my $answer = psql($query, "-At -F '\x1f' -R '\x1e'");
	die "$query\n$answer" if $answer =~ /^ERROR:/m;
	chomp $answer;
	return map { [ split /\x1f/, $_, -1 ] } split /\x1e/, $answer;
}

# Without white space at the ends of lines, and without empty lines around.
sub tidy
{
	my $text = shift;
	$text =~ s/[ \t]+$//gm;
	$text =~ s/\n{3,}/\n\n/g;
	$text =~ s/\A\n+|\n+\z//g;
	return "$text\n";
}

# The parts of README.md, each {kind, line, text, first}: "sql", "text", "yaml",
# "catalog" (with what), and "other", which holds all the lines in between.
sub parse
{
	my (@parts, $open);
	my $add = sub {
		my ($kind, $text, %more) = @_;
		if ($kind eq 'other' && @parts && $parts[-1]{kind} eq 'other') { $parts[-1]{text} .= $text; }
		else { push @parts, { kind => $kind, text => $text, line => $., %more }; }
		return $parts[-1];
	};
	open(my $file, '<', $path) or die "$path: $!\n";
	while (my $line = <$file>)
	{
		if ($open)
		{
			if ($line =~ $open->{end}) { $open = undef; $add->('other', $line); }
			else { $open->{text} .= $line; }
			next;
		}
		$add->('other', $line);
		if (my ($language, $first) = $line =~ /^```(\w*)( first)?$/)
		{
			my %kind = (sql => 'sql', text => 'text', yaml => 'yaml');
			$open = $add->($kind{$language} // 'code', '', first => defined $first, end => qr/^```$/);
		}
		elsif ($line =~ /^<!-- sql$/) { $open = $add->('sql', '', first => 0, end => qr/^-->$/); }
		elsif ($line =~ /^<!-- catalog: (.*) -->$/)
		{
			$open = $add->('catalog', '', what => $1, end => qr/^<!-- end -->$/);
		}
	}
	die "$path: what begins in line $open->{line} has no end\n" if $open;
	return @parts;
}

my @parts = parse();

# The part with the answer to the SQL of another: it follows with nothing in between.
sub answer_to
{
	my $i = shift;
	my ($between, $next) = @parts[ $i + 1, $i + 2 ];
	return $next && $next->{kind} eq 'text' && $between->{text} =~ /\A```\n\s*```text\n\z/ ? $next : undef;
}

# Runs blocks in one session and checks their answers.
sub run_blocks
{
	my @blocks = @_;
	my $script = '';
	for my $block (@blocks)
	{
		# what is left of a statement without its semicolon must not spoil the next block
		$script .= "$block->{text}\n\\r\n\\echo block-$block->{line}-ends\n";
	}
	my $answers = psql($script);
	for my $block (@blocks)
	{
		my $name = "the block in line $block->{line}";
		my $end = "block-$block->{line}-ends\n";
		my $at = index($answers, $end);
		if ($at < 0) { ok($name, 'the session ended before it did', $answers); next; }
		my $answer = tidy(substr($answers, 0, $at));
		$answers = substr($answers, $at + length $end);

		my @problems;
		push @problems, 'it does not end in a semicolon' if $block->{text} !~ /;\s*(--.*)?\s*\z/;
		my $shown = $block->{answer};
		if ($shown)
		{
			push @problems, 'the server answers:', $answer, 'README.md shows:', tidy($shown->{text})
				if $answer ne tidy($shown->{text});
			$shown->{truth} = $answer;
		}
		elsif ($answer =~ /^(ERROR|WARNING|FATAL|PANIC): /m)
		{
			push @problems, 'the server answers:', $answer;
		}
		ok($name, $write ? grep({ !/^(the server answers|README.md shows)/ && !$shown } @problems) : @problems);
	}
}

my (@first, @others);
for my $i (0 .. $#parts)
{
	my $part = $parts[$i];
	next if $part->{kind} ne 'sql';
	$part->{answer} = answer_to($i);
	push @{ $part->{first} ? \@first : \@others }, $part;
}
run_blocks(@first);
run_blocks(@others);

for my $part (grep { $_->{kind} eq 'yaml' } @parts)
{
	my @queries = $part->{text} =~ /^\s*query: "(.*)"$/mg;
	my @failed = grep { /^(ERROR|WARNING): / } map { psql("$_;\n") } @queries;
	ok("the queries of the block in line $part->{line}", @queries ? () : 'there are none', @failed);
}

# What belongs to the extension.
my $members = q{(SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'usage_limits') m};

my @roles = qw(reader app billing admin);
rows(join ' ', map { "CREATE ROLE readme_$_; SELECT usage_grant('readme_$_', '$_');" } @roles);

# Identifiers stand out from a comment's words.
sub prose
{
	my $text = shift;
	$text =~ s/(?<![\w"])([a-z]+(?:_[a-z_]+)+(?:\.[a-z_]+)?(?:\(\))?(?: => (?:\w+|'\w*'))?)/`$1`/g;
	return $text;
}

# Folds "name(a, b, c) -> result" between its arguments.
sub fold_signature
{
	my ($head, $arguments, $tail) = @_;
	my @lines = ($head);
	for my $i (0 .. $#$arguments)
	{
		my $piece = $arguments->[$i] . ($i < $#$arguments ? ',' : $tail);
		if (length($lines[-1]) + length($piece) > 98) { push @lines, "    $piece"; }
		else { $lines[-1] .= ($i ? ' ' : '') . $piece; }
	}
	$lines[-1] .= $tail unless @$arguments;
	return join("\n", @lines);
}

# Functions that somebody may call; the others serve our triggers and bodies.
my %function;
for my $row (rows(qq{
	SELECT p.proname, obj_description(p.oid, 'pg_proc'),
		CASE WHEN p.proretset THEN 'setof ' ELSE '' END ||
			CASE WHEN p.prorettype = 'record'::regtype THEN '' ELSE format_type(p.prorettype, NULL) END,
		(SELECT string_agg(r.part, ', ' ORDER BY r.n) FROM unnest('{@{[join ',', @roles]}}'::text[])
			WITH ORDINALITY r (part, n) WHERE has_function_privilege('readme_' || r.part, p.oid, 'EXECUTE'))
	FROM $members JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	WHERE p.prorettype <> 'trigger'::regtype
		AND (p.proname !~ '^usage_limits_' OR p.proname IN ('usage_limits_version', 'usage_limits_stats_reset'))
	ORDER BY p.proname}))
{
	my ($name, $comment, $result, $may) = @$row;
	$result =~ s/timestamp with time zone/timestamptz/;
	$function{$name} = { comment => $comment, result => $result, parts => $may, in => [], out => [] };
}
for my $row (rows(qq{
	SELECT p.proname, coalesce(a.mode, 'i'), a.name, format_type(a.type, NULL),
		regexp_replace(pg_get_function_arg_default(p.oid, a.n::integer), '::[a-z ]+\$', '')
	FROM $members JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid,
		unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes, p.proargnames)
			WITH ORDINALITY a (type, mode, name, n)
	ORDER BY p.oid, a.n}))
{
	my ($name, $mode, $argument, $type, $default) = @$row;
	next unless $function{$name};
	$type =~ s/timestamp with time zone/timestamptz/;
	push @{ $function{$name}{ $mode eq 'i' ? 'in' : 'out' } },
		"$argument $type" . ($default ne '' ? " = $default" : '');
}

sub describe_function
{
	my $name = shift;
	my $f = $function{$name};
	my @out = @{ $f->{out} };
	my $signature = fold_signature("$name(", $f->{in}, ')');
	my ($last) = $signature =~ /([^\n]*)\z/;
	my $result = $f->{result} . (@out ? '(' . join(', ', @out) . ')' : '');
	if (length("$last → $result") <= 98) { $signature .= " → $result"; }
	elsif (@out)
	{
		my $folded = fold_signature("$f->{result}(", $f->{out}, ')') =~ s/\n/\n  /gr;
		$signature .= "\n    → $folded";
	}
	else { $signature .= "\n    → $result"; }
	return "#### $name\n\n```\n$signature\n```\n\n" . prose($f->{comment}) . "\n\nParts: $f->{parts}.\n";
}

sub table
{
	my ($head, @rows) = @_;
	return join '', map { "| " . join(' | ', map { s/\|/\\|/gr } @$_) . " |\n" }
		$head, [ map { '---' } @$head ], @rows;
}

sub tables
{
	return table([ 'name', 'what it holds', '`admin` may write it' ], map {
		my ($name, $comment, $writes) = @$_;
		[ "`$name`", prose($comment), $writes eq 't' ? 'yes' : '' ]
	} rows(qq{
		SELECT c.relname, obj_description(c.oid, 'pg_class'), has_table_privilege('readme_admin', c.oid, 'INSERT')
		FROM $members JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
		WHERE c.relkind IN ('r', 'p', 'v') ORDER BY c.oid}));
}

sub columns
{
	my $name = shift;
	return table([ 'column', 'type', 'what it is' ], map {
		my ($column, $type, $comment) = @$_;
		[ "`$column`", $type =~ s/timestamp with time zone/timestamptz/r, prose($comment) ]
	} rows(qq{
		SELECT a.attname, format_type(a.atttypid, NULL), col_description(c.oid, a.attnum)
		FROM $members JOIN pg_class c ON c.oid = CASE m.classid WHEN 'pg_class'::regclass THEN m.objid
				WHEN 'pg_type'::regclass THEN (SELECT t.typrelid FROM pg_type t WHERE t.oid = m.objid) END
			JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relname = '$name' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum}));
}

# With their defaults, whatever the server sets.
my @settings = rows(q{
	SELECT s.name, CASE s.vartype WHEN 'enum' THEN array_to_string(s.enumvals, ', ')
			WHEN 'bool' THEN 'on, off' WHEN 'integer' THEN CASE WHEN s.unit IS NULL THEN 'number' ELSE 'time' END
			ELSE 'text' END,
		CASE s.setting WHEN s.boot_val THEN current_setting(s.name) ELSE s.boot_val END, s.short_desc || coalesce(' ' || s.extra_desc, ''), s.context
	FROM pg_settings s WHERE s.name LIKE 'usage\_limits.%' ORDER BY s.name});

sub settings
{
	return table([ 'setting', 'values', 'default', 'what it does' ], map {
		[ "`$_->[0]`", $_->[1], $_->[2] eq '' ? 'empty' : "`$_->[2]`", prose($_->[3]) ]
	} @settings);
}

# What the catalog says where README.md has "<!-- catalog: WHAT -->".
my (%described, @unknown);
sub from_catalog
{
	my ($kind, @names) = split ' ', shift;
	return tables() if $kind eq 'tables';
	return settings() if $kind eq 'settings';
	return columns(@names) if $kind eq 'columns';
	die "$path: nothing is known of \"catalog: $kind\"\n" if $kind ne 'functions';
	$described{$_}++ for @names;
	push @unknown, grep { !$function{$_} } @names;
	return join "\n", map { describe_function($_) } grep { $function{$_} } @names;
}

for my $part (grep { $_->{kind} eq 'catalog' } @parts)
{
	$part->{truth} = "\n" . from_catalog($part->{what}) . "\n";
	next if $write;
	my @shown = split /\n/, $part->{text}, -1;
	my @truth = split /\n/, $part->{truth}, -1;
	my @problems;
	for my $i (0 .. ($#shown > $#truth ? $#shown : $#truth))
	{
		my ($shown, $truth) = ($shown[$i] // '', $truth[$i] // '');
		next if $shown eq $truth;
		@problems = ("README.md says: $shown", "the catalog: $truth");
		last;
	}
	ok("the reference in line $part->{line} ($part->{what})", @problems);
}

ok('every function is in the reference, once',
	(map { "$_ is missing" } grep { !$described{$_} } sort keys %function),
	(map { "$_ is there more than once" } grep { $described{$_} > 1 } sort keys %described),
	map { "$_ does not exist" } @unknown);
ok('every function is in a part of usage_grant',
	map { "$_ is in none" } grep { $function{$_}{parts} eq '' } sort keys %function);
ok('all settings are the superuser\'s or the configuration file\'s', map { "$_->[0] is not" } grep { $_->[4] !~ /^(superuser|sighup|postmaster)$/ } @settings);

my $readme = slurp($path);
my ($source, $env) = (join('', map { slurp($_) } glob("$tree/src/*.[ch]")), slurp("$tree/src/env.c"));

# compare(NAME, KNOWN, SAID): two lists that are to be the same.
sub compare
{
	my ($name, $known, $said) = @_;
	my %known = map { $_ => 1 } @$known;
	my %said = map { $_ => 1 } @$said;
	ok($name, (map { "README.md does not say $_" } grep { !$said{$_} } sort keys %known),
		map { "$_, which README.md says, is unknown" } grep { !$known{$_} } sort keys %said);
}

# A section by its heading, to the next heading of its rank.
sub section
{
	my $heading = shift;
	my ($rank) = $heading =~ /^(#+)/;
	my ($text) = $readme =~ /^\Q$heading\E\n(.*?)(?=^#{1,@{[length $rank]}} |\z)/ms;
	return $text // die "$path has no section \"$heading\"\n";
}

# the file endings that the library's own name has
compare('the settings of src/guc.c',
	[ $source =~ /DefineCustom\w+Variable\("usage_limits\.(\w+)"/g ],
	[ grep { !/^(control|so|c|sql|conf)$/ } $readme =~ /\busage_limits\.([a-z_]+)/g ]);
compare('the environment variables of src/env.c',
	[ map { s/_$/_<LIMIT>_<TIER>/r } grep { $_ ne 'USAGE_' } $env =~ /"(USAGE_[A-Z_]*)"/g ],
	[ section('### Environment variables') =~ /^\| `(USAGE_[A-Z_<>]+)`/mg ]);

# SQLSTATEs: those that src/ names, by the server's list of them and ours.
my %sqlstate = (slurp($ENV{ERRCODES}) . slurp("$tree/src/errors.h")) =~
	/#define (ERRCODE_\w+)\s+MAKE_SQLSTATE\(([^)]*)\)/g;
s/[', ]//g for values %sqlstate;
my @raised = map { $sqlstate{$_} // "$_, which no list has" }
	do { my %seen; grep { !$seen{$_}++ } $source =~ /(?<!define )(?<!geterrcode\(\) == )\b(ERRCODE_\w+)/g };
compare('the SQLSTATEs that src/ names',
	[ @raised, @{ [ section('## Errors') =~ /^\| `(\w+)`.*<!-- of the server -->/mg ] } ],
	[ section('## Errors') =~ /^\| `(\w{5})` \|/mg ]);

# Names with our prefix are names of something, but in what may be anybody's.
my %name = map { $_->[0] => 1 } rows(qq{
	SELECT p.proname FROM $members JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	UNION SELECT unnest(p.proargnames) FROM $members JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	UNION SELECT c.relname FROM pg_class c JOIN pg_extension e ON e.extnamespace = c.relnamespace
		WHERE e.extname = 'usage_limits'
	UNION SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		JOIN pg_extension e ON e.extnamespace = c.relnamespace WHERE e.extname = 'usage_limits'});
my $words = join '', map { $_->{text} } grep { $_->{kind} ne 'yaml' } @parts;
my %wrong = map { $_ => 1 } grep { !$name{$_} && $_ ne 'usage_limits' } $words =~ /\b(usage_[a-z0-9_]+)\b/g;
ok('every name that begins with usage_ is one of ours', map { "$_ is not" } sort keys %wrong);

# Links within the page lead somewhere.
my %anchor = map { lc(s/[^\w\s-]//gr =~ s/ /-/gr) => 1 } $readme =~ /^#+ (.*)$/mg;
ok('every link within the page has its heading', map { "#$_ has none" } grep { !$anchor{$_} } $readme =~ /\]\(#([^)]*)\)/g);

if ($write)
{
	open(my $file, '>', $path) or die "$path: $!\n";
	print $file map { $_->{truth} // $_->{text} } @parts;
	close $file;
}

print "1..$cases\n", $cases - $failures, " passed, $failures failed\n";
exit($failures ? 1 : 0);
