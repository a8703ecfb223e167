#!/usr/bin/perl
# Runs inside UML: asks for parameters by DHCPINFORM as a Windows client does once IPCP is up (RFC 2131 section 4.4.3), and prints the
# answer in hexadecimal.
# usage: inform.pl DEVICE ADDRESS
use strict;
use warnings;
use Socket;

my ($device, $address) = @ARGV;
my $bind_to_device = 25;
socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";
setsockopt($socket, SOL_SOCKET, $bind_to_device, "$device\0") or die "device: $!";
setsockopt($socket, SOL_SOCKET, SO_BROADCAST, 1) or die "broadcast: $!";
bind($socket, sockaddr_in(68, INADDR_ANY)) or die "bind: $!";

my $message = pack("C4 N n n a4 x12 a16 x192 N", 1, 8, 6, 0, 0x12345678, 0, 0x8000, inet_aton($address), "\0SE", 0x63825363)
    . pack("C C C", 53, 1, 8)
    . pack("C C C a6", 61, 7, 8, "\0SE")
    . pack("C C/a", 60, "MSFT 5.0")
    . pack("C C C*", 55, 12, 1, 15, 3, 6, 44, 46, 47, 31, 33, 119, 121, 249)
    . pack("C", 255);
for (1 .. 3) {
    send($socket, $message, 0, sockaddr_in(67, INADDR_BROADCAST)) or die "send: $!";
    my $ready = '';
    vec($ready, fileno($socket), 1) = 1;
    next unless select($ready, undef, undef, 5);
    my $from = recv($socket, my $answer, 2000, 0) or die "recv: $!";
    my ($port, $server) = sockaddr_in($from);
    print inet_ntoa($server), " $port ", unpack("H*", $answer), "\n";
    exit 0;
}
die "no answer\n";
