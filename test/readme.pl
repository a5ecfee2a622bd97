#!/usr/bin/perl
# Runs the SQL blocks of README.md as its reader would, in order and each in a
# session of its own, and compares with what the README shows.
#
# A block that opens with ```sql is run.  When a block without a language
# follows, with nothing but an empty line in between, that is the answer, as
# psql prints it; "..." in it stands for anything within the line.  A block
# with no answer must not fail; one whose answer has an ERROR must.  A block
# after the comment <!-- not run: reason --> is left out.
#
# Connects as the environment says; prints "ok" and "not ok" lines.
use strict;
use warnings;

my $path = shift // 'README.md';
open(my $readme, '<', $path) or die "$path: $!\n";

# [language, line, text, comment before it, whether only an empty line lies between it and the one before]
my (@blocks, $block);
my ($comment, $near) = ('', 0);
while (my $line = <$readme>)
{
	if ($block)
	{
		if ($line =~ /^\s*```\s*$/) { push @blocks, $block; ($block, $comment, $near) = (undef, '', 1); }
		else { $block->[2] .= $line; }
	}
	elsif ($line =~ /^\s*```(\S*)/) { $block = [ $1, $., '', $comment, $near ]; }
	elsif ($line =~ /^<!--\s*(.*?)\s*-->$/) { ($comment, $near) = ($1, 0); }
	elsif ($line =~ /\S/) { ($comment, $near) = ('', 0); }
}
die "$path: a block is not closed\n" if $block;

# Lines without what psql pads them with, without empty lines around and within.
sub tidy
{
	my $text = shift;
	$text =~ s/[ \t]+$//gm;
	$text =~ s/^\n+//gm;
	return $text;
}

my ($n, $failed) = (0, 0);
for my $i (0 .. $#blocks)
{
	my ($language, $line, $sql, $about) = @{ $blocks[$i] };
	next if $language ne 'sql' || $about =~ /^not run/;
	my $next = $blocks[ $i + 1 ];
	my $shown = $next && $next->[0] eq '' && $next->[4] ? tidy($next->[2]) : undef;

	open(my $script, '>', "$ENV{TMPDIR}/block.sql") or die $!;
	print $script $sql;
	close $script;
	my $answer = tidy(scalar `psql -X -q -P null= -v ON_ERROR_STOP=1 <"$ENV{TMPDIR}/block.sql" 2>&1`);
	my $status = $?;

	my ($ok, $why) = ($status == 0, 'it fails');
	if (defined $shown)
	{
		my $pattern = join '[^\n]*', map { quotemeta } split /\Q...\E/, $shown, -1;
		my $error = $shown =~ /^ERROR:/m ? 1 : 0;
		$ok = $answer =~ /\A$pattern\z/ && ($status != 0) == $error;
		$why = "README.md shows:\n$shown";
	}
	$n++;
	printf "%s %d - the block at line %d of README.md\n", $ok ? 'ok' : 'not ok', $n, $line;
	next if $ok;
	$failed++;
	print map { "# $_\n" } split /\n/, "the server answers:\n$answer$why";
}
print "1..$n\n";
exit($failed || !$n ? 1 : 0);
