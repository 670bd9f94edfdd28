#!/usr/bin/perl
# A helper of snmpd (pass_persist): answers from a file of lines "oid type value", read anew for
# each question, so that a test changes what the device says by replacing the file.
use strict;
use warnings;
$| = 1;

sub compare {
  my @a = split /\./, substr($_[0], 1);
  my @b = split /\./, substr($_[1], 1);
  while (@a && @b) { my $c = shift(@a) <=> shift(@b); return $c if $c }
  return @a <=> @b;
}

sub table {
  open my $file, '<', $ARGV[0] or return ();
  my @rows = map { chomp; [split / /, $_, 3] } <$file>;
  return sort { compare($a->[0], $b->[0]) } @rows;
}

while (defined(my $command = <STDIN>)) {
  chomp $command;
  if ($command eq 'PING') { print "PONG\n"; next }
  last unless $command eq 'get' || $command eq 'getnext';
  chomp(my $oid = <STDIN>);
  my ($hit) = grep { my $c = compare($_->[0], $oid); $command eq 'get' ? $c == 0 : $c > 0 } table();
  print $hit ? join("\n", @$hit) . "\n" : "NONE\n";
}
