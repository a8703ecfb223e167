#!/bin/bash
# Runs inside UML: N xl2tpd clients, each in a network namespace of its own (cN) with its own address 203.0.113.(100+N):
# Linux holds one kernel tunnel per pair of addresses. They dial as soon as the file /run/dial exists; user userN.
source $RIG/bin/ppp-common.sh
source $RIG/own/agent.sh
modprobe -a bridge veth
ip link add br0 type bridge; ip link set vec0 up master br0; ip link set br0 up
for i in $(seq $N); do
  ip netns add c$i
  ip link add v$i type veth peer name eth0 netns c$i; ip link set v$i up master br0
  ip -n c$i link set lo up; ip -n c$i addr add 203.0.113.$((100+i))/24 dev eth0; ip -n c$i link set eth0 up
  ppp_options noauth "name user$i" "password secret$i" nodefaultroute refuse-eap 'unit 0'
  sed "s#/share/pppd.log#/share/pppd$i.log#" /etc/ppp/options.rig > /etc/ppp/options.$i
  cat > /etc/xl2tpd/$i.conf <<E
[global]
port = 1701
auth file = /etc/xl2tpd/l2tp-secrets
[lac culvert]
lns = $LNS
hostname = client$i
name = user$i
challenge = $([ -n "$TSECRET" ] && echo yes || echo no)
require authentication = no
autodial = yes
pppoptfile = /etc/ppp/options.$i
length bit = yes
E
done
cat > /run/dial.sh <<'E'
for i in $(seq $1); do
  ip netns exec c$i xl2tpd -D -c /etc/xl2tpd/$i.conf -p /run/xl2tpd/$i.pid -C /run/xl2tpd/control$i > /share/xl2tpd$i.log 2>&1 &
done
E
agent
