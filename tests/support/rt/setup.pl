#!/usr/bin/perl
# What a new Request Tracker needs before it can be seeded: queues, users, rights, custom fields,
# and tokens, for which there is no command. usage: setup.pl TOKEN-DIRECTORY
use strict;
use warnings;
use lib '/usr/local/share/request-tracker5/lib', '/usr/share/request-tracker5/lib';
use RT;
RT::LoadConfig();
RT::Init();
use RT::AuthToken;
use RT::CustomField;
use RT::Group;
use RT::Queue;
use RT::User;

my ($tokens) = @ARGV;
my $system = RT->SystemUser;

sub must {
    my ($ok, $message) = @_;
    die "failed: $message\n" unless $ok;
    return $ok;
}

sub user {
    my %values = @_;
    my $user = RT::User->new($system);
    must($user->Create(Privileged => 0, Disabled => 0, %values));
    return $user;
}

sub token {
    my ($user, $file) = @_;
    my ($ok, $message, $secret) =
        RT::AuthToken->new($system)->Create(Owner => $user->id, Description => 'test');
    must($ok, $message);
    open my $out, '>', "$tokens/$file" or die "$tokens/$file: $!\n";
    chmod 0600, "$tokens/$file";
    print $out $secret;
    close $out;
}

my @queues;
for my $name ('Brukerstotte', 'Drift') {
    my $queue = RT::Queue->new($system);
    must($queue->Create(Name => $name, Description => $name, Lifecycle => 'default'));
    push @queues, $queue;
}

# RT reads dates in queries in the zone of whoever asks.
my $reader = user(Name => 'sla-reader', Timezone => 'UTC', Privileged => 1,
                  EmailAddress => 'sla-reader@it.example');
my @technicians = map {
    user(Name => "tekniker$_", EmailAddress => "t$_\@it.example", Privileged => 1)
} 1, 2;
my $kari = user(Name => 'kari', EmailAddress => 'kari@fjordvik.example');
my $ola = user(Name => 'ola', EmailAddress => 'ola@aasdal.example');

$reader->PrincipalObj->GrantRight(Right => $_, Object => $RT::System)
    for qw(SeeQueue ShowTicket SeeCustomField);
for my $technician (@technicians) {
    $technician->PrincipalObj->GrantRight(Right => $_, Object => $RT::System)
        for qw(SeeQueue ShowTicket ShowTicketComments SeeCustomField ModifyCustomField CreateTicket
               ModifyTicket OwnTicket ReplyToTicket CommentOnTicket TakeTicket Watch);
}
my $everyone = RT::Group->new($system);
$everyone->LoadSystemInternalGroup('Everyone');
$everyone->PrincipalObj->GrantRight(Right => $_, Object => $RT::System)
    for qw(CreateTicket SeeQueue);
my $requestors = RT::Group->new($system);
$requestors->LoadRoleGroup(Object => $RT::System, Name => 'Requestor');
$requestors->PrincipalObj->GrantRight(Right => $_, Object => $RT::System)
    for qw(ShowTicket ReplyToTicket);

for my $name ('Kommune', 'Type', 'CSAT') {
    my $field = RT::CustomField->new($system);
    must($field->Create(Name => $name, Type => 'Freeform', MaxValues => 1,
                        LookupType => 'RT::Queue-RT::Ticket'));
    must($field->AddToObject($_)) for @queues;
}

my $root = RT::User->new($system);
$root->Load('root');
token($root, 'root');
token($reader, 'reader');
token($technicians[0], 'tekniker1');
token($technicians[1], 'tekniker2');
token($kari, 'kari');
token($ola, 'ola');
