#!/bin/bash
# Runs inside UML: xl2tpd + kernel L2TP + pppd as LNS.
# env: AUTH=pap|chap|mschap-v2, TSECRET (tunnel secret, off)
source $RIG/bin/ppp-common.sh
source $RIG/own/agent.sh
ip link set vec0 up; ip addr add ${ADDR:-203.0.113.10/24} dev vec0
ppp_options "require-$AUTH" "name lns"
cat > /etc/xl2tpd/xl2tpd.conf <<E
[global]
port = 1701
auth file = /etc/xl2tpd/l2tp-secrets
debug tunnel = yes
debug state = yes
[lns default]
ip range = 198.51.100.100-198.51.100.199
local ip = 198.51.100.1
hostname = xl2tpd-server
name = lns
challenge = $([ -n "$TSECRET" ] && echo yes || echo no)
pppoptfile = /etc/ppp/options.rig
length bit = yes
E
xl2tpd -D -c /etc/xl2tpd/xl2tpd.conf > /share/xl2tpd.log 2>&1 &
agent
