#!/bin/bash
# Runs inside UML: xl2tpd + kernel L2TP + pppd, ready to dial (echo "c culvert" to the control FIFO dials).
# env: LNS, ADDR, TSECRET (tunnel secret, off), PPPUSER/PPPPASS (alice/wonder), NETEM=delay,30ms,loss,10% (on what it sends)
source $RIG/bin/ppp-common.sh
source $RIG/own/agent.sh
ip link set vec0 up; ip addr add ${ADDR:-203.0.113.20/24} dev vec0
ppp_options noauth "name ${PPPUSER:-alice}" "password ${PPPPASS:-wonder}" nodefaultroute refuse-eap
cat > /etc/xl2tpd/xl2tpd.conf <<E
[global]
port = 1701
auth file = /etc/xl2tpd/l2tp-secrets
debug tunnel = yes
debug state = yes
[lac culvert]
lns = $LNS
hostname = xl2tpd-client
name = ${PPPUSER:-alice}
challenge = $([ -n "$TSECRET" ] && echo yes || echo no)
require authentication = no
autodial = no
pppoptfile = /etc/ppp/options.rig
length bit = yes
E
xl2tpd -D -c /etc/xl2tpd/xl2tpd.conf > /share/xl2tpd.log 2>&1 &
until [ -p /run/xl2tpd/l2tp-control ]; do sleep .05; done
[ -n "$NETEM" ] && { modprobe sch_netem; tc qdisc add dev vec0 root netem $(echo $NETEM | tr , " "); }
agent
