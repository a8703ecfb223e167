"""Who is compared: how each is started between LAC and LNS, and how to reach through it."""
import json
import os

import lab
from lab import CLIENT, HOME, LAC, LNS, SERVER, SINK_DOWN, SINK_UP, Program, Trouble, inside, pings, run, until

BEYOND = (f"{SERVER}/32", f"{SINK_UP}/32")               # what is reached through the tunnel at the LAC,
BEHIND = ("198.51.100.0/24", f"{SINK_DOWN}/32")          # and at the LNS
WAIT = 15


def write(name, text):
    with open(f"{HOME}/{name}", "w") as file:
        file.write(text)
    return f"{HOME}/{name}"


class Contestant:
    """`lns` is the program whose CPU time and memory count; none for the kernel's own."""
    title = note = ""
    offloads = True
    lns = None
    auth = None                     # how load sessions log in: none can be set up
    pair = (CLIENT, SERVER)
    sinks = (SINK_UP, SINK_DOWN)

    def start(self):
        pass

    def ready(self, programs=()):
        until("nothing goes through", WAIT, lambda: pings("client", *self.pair), programs)


class Kernel(Contestant):
    title = "kernel, plain (limit)"
    pair = (lab.PLAIN_CLIENT, lab.PLAIN_SERVER)
    sinks = (lab.PLAIN_SINK_UP, lab.PLAIN_SINK_DOWN)

    def start(self):
        if not pings("client", *self.pair):
            raise Trouble("the plain way does not work")


class KernelOnAllCores(Kernel):
    title = "kernel, plain, RPS on all cores"

    def start(self):
        super().start()
        mask = f"{(1 << os.cpu_count()) - 1:x}"
        for device in ("a1", "s1"):
            lab.in_sysfs("lns", f"/sys/class/net/{device}/queues/rx-0/rps_cpus", mask)


class KernelWithoutOffloads(Kernel):
    title = "kernel, plain, no offloads"
    offloads = False


class Vxlan(Contestant):
    title = "kernel VXLAN"

    def start(self):
        try:
            for namespace, local, remote, near, device in (("lac", LAC, LNS, "198.18.40.2", "a0"), ("lns", LNS, LAC, "198.18.40.1", "a1")):
                run(f"ip -n {namespace} link add vx0 type vxlan id 1 local {local} remote {remote} dstport 4789 dev {device} && "
                    f"ip -n {namespace} link set vx0 mtu 1450 up && ip -n {namespace} addr add {near}/24 dev vx0")
        except Trouble as why:
            raise Trouble(f"this kernel has no VXLAN: {why}") from None
        route("lac", BEYOND, "via 198.18.40.1")
        route("lns", BEHIND, "via 198.18.40.2")
        self.ready()


def route(namespace, destinations, way):
    for destination in destinations:
        run(f"ip -n {namespace} route replace {destination} {way}")


def lac_configuration(user="alice", password="wonder", routes=BEYOND, offload="auto"):
    return write("lac.yaml", f"""node: lac
listen: []
dial: [{{ name: up, lns: [{LNS}], user: {user}, password: {password}, routes: [{", ".join(routes)}], interface: tun0 }}]
api: {{ socket: {HOME}/lac.sock }}
forwarding: {{ offload: {offload} }}
""")


class Culvert(Contestant):
    title = "Culvert"
    auth = "chap"
    forwarding = "offload: auto"

    def start_lns(self):
        configuration = write("lns.yaml", f"""node: lns
listen: [{LNS}:1701]
peers: [{{ match: any, profile: home, call-rate: 0 }}]
profiles: [{{ name: home, authentication: [chap], pool: default }}]
pools: [{{ name: default, ipv4: 100.64.0.0/15, gateway: 100.64.0.1 }}]
users:
  - {{ name: alice, password: wonder, routes: [{", ".join(BEHIND)}] }}
  - {{ name: load, password: wonder }}
limits: {{ call-rate: 0, sessions: 65000 }}
api: {{ socket: {HOME}/lns.sock }}
forwarding: {{ {self.forwarding} }}
""")
        self.lns = Program("lns", ["dotnet", lab.DLL, "serve", "-c", configuration], "lns")
        until("the LNS does not start", WAIT, lambda: "ready" in self.lns.text(), [self.lns])

    def start(self):
        self.start_lns()
        lac = Program("lac", ["dotnet", lab.DLL, "serve", "-c", lac_configuration()], "lac")
        self.ready([self.lns, lac])


class L2tpns(Contestant):
    title = "l2tpns"
    note = "CHAP by FreeRADIUS beside it"
    auth = "chap"

    def start_lns(self):
        os.makedirs(f"{HOME}/l2tpns")
        os.makedirs(f"{HOME}/raddb")
        write("raddb/users", "alice\tCleartext-Password := \"wonder\"\n\tFramed-Protocol = PPP,\n"
              + ",\n".join(f"\tFramed-Route {'+=' if i else '='} \"{network} 0.0.0.0 1\"" for i, network in enumerate(BEHIND))
              + "\n\nDEFAULT\tCleartext-Password := \"wonder\"\n\tFramed-Protocol = PPP\n")
        write("raddb/radiusd.conf", RADIUS)
        self.radius = Program("lns", ["freeradius", "-f", "-d", f"{HOME}/raddb"], "radius")
        write("l2tpns/ip_pool", "100.64.0.0/15\n")
        write("l2tpns/users", "")
        write("l2tpns/startup-config", f"""set debug 0
set pid_file "{HOME}/l2tpns.pid"
set hostname "l2tpns"
set primary_radius 127.0.0.1
set primary_radius_port 1812
set radius_secret "radsec"
set radius_authtypes "chap"
set radius_accounting no
set bind_address {LNS}
set peer_address 198.18.60.1
set cli_bind_address 127.0.0.1
set cluster_interface a1
set cluster_hb_interval 2
set cluster_hb_timeout 4
set primary_dns 192.0.2.53
set allow_duplicate_users yes
""")
        run(f"mkdir -p /etc/l2tpns && mount --bind {HOME}/l2tpns /etc/l2tpns")
        until("FreeRADIUS does not start", WAIT, lambda: ":1812" in inside("lns", ["ss", "-Huln"]), [self.radius])
        self.lns = Program("lns", ["l2tpns"], "lns")
        until("l2tpns does not start", WAIT, lambda: "100.64." in run("ip -n lns route"), [self.lns])

    def start(self):
        self.start_lns()
        lac = Program("lac", ["dotnet", lab.DLL, "serve", "-c", lac_configuration()], "lac")
        self.ready([self.lns, lac])


RADIUS = f"""prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {HOME}/raddb
run_dir = {HOME}
logdir = {HOME}
name = radiusd
pidfile = {HOME}/radiusd.pid
max_requests = 65536
log {{
  destination = files
  file = {HOME}/radius.txt
}}
security {{
  reject_delay = 0
}}
thread pool {{
  start_servers = 2
  max_servers = 4
  min_spare_servers = 1
  max_spare_servers = 4
}}
client here {{
  ipaddr = 127.0.0.0/8
  secret = radsec
}}
modules {{
  files {{
    usersfile = {HOME}/raddb/users
  }}
  chap {{ }}
}}
server default {{
  listen {{
    type = auth
    ipaddr = 127.0.0.1
    port = 1812
  }}
  authorize {{
    chap
    files
  }}
  authenticate {{
    Auth-Type CHAP {{
      chap
    }}
  }}
}}
"""


class SoftEther(Contestant):
    title = "SoftEther"
    note = "bridged to a TAP and routed by the kernel; the LAC masquerades, because SoftEther passes the leased address only"
    auth = "pap"
    tool = ["/usr/libexec/softether/vpncmd/vpncmd", "127.0.0.1:5555", "/SERVER"]

    def start_lns(self):
        for folder in ("/var/lib", "/var/log"):
            run(f"mount -t tmpfs none {folder}")
        run("mkdir -p /var/lib/softether /var/log/softether /run/softether")
        self.lns = Program("lns", ["/usr/libexec/softether/vpnserver/vpnserver", "execsvc"], "lns")
        until("SoftEther does not start", WAIT, lambda: "about" in
              inside("lns", [*self.tool, "/CMD", "About"], check=False, timeout=10).lower() and ":5555" in inside("lns", ["ss", "-Htln"]), [self.lns])
        commands = write("softether.txt", """IPsecEnable /L2TP:no /L2TPRAW:yes /ETHERIP:no /PSK:bench /DEFAULTHUB:DEFAULT
BridgeCreate DEFAULT /DEVICE:vpn /TAP:yes
Hub DEFAULT
UserCreate alice /GROUP:none /REALNAME:none /NOTE:none
UserPasswordSet alice /PASSWORD:wonder
DhcpSet /START:198.18.30.10 /END:198.18.30.200 /MASK:255.255.255.0 /EXPIRE:7200 /GW:198.18.30.1 /DNS:198.18.30.1 /DNS2:none /DOMAIN:none /LOG:no
SecureNatHostSet /MAC:none /IP:198.18.30.2 /MASK:255.255.255.0
SecureNatEnable
NatDisable
DhcpEnable
LogDisable packet
LogDisable security
""")
        inside("lns", [*self.tool, f"/IN:{commands}"])
        until("SoftEther does not listen", WAIT, lambda: ":1701" in inside("lns", ["ss", "-Huln"])
              and "tap_vpn" in run("ip -n lns -br link"), [self.lns])
        run("ip -n lns addr add 198.18.30.1/24 dev tap_vpn && ip -n lns link set tap_vpn up")

    def start(self):
        self.start_lns()
        inside("lac", ["nft", "add table ip bench; add chain ip bench out { type nat hook postrouting priority 100; }; "
                       "add rule ip bench out oifname tun0 masquerade"])
        lac = Program("lac", ["dotnet", lab.DLL, "serve", "-c", lac_configuration()], "lac")
        self.ready([self.lns, lac])
        self.sinks = (SINK_UP, None)     # nothing behind a masquerading LAC can be sent to unasked


class WireGuardGo(Contestant):
    title = "wireguard-go"
    note = "encrypts"

    def start(self):
        keys = {n: run("wg genkey").strip() for n in ("lac", "lns")}
        public = {n: run("wg pubkey", input=key).strip() for n, key in keys.items()}
        programs = []
        for here, device, there, address, allowed in (("lns", "wgs", "lac", LAC, BEHIND), ("lac", "wgc", "lns", LNS, BEYOND)):
            program = Program(here, ["env", "WG_PROCESS_FOREGROUND=1", "WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1", "LOG_LEVEL=error",
                                     "wireguard-go", "-f", device], f"wg-{here}")
            programs.append(program)
            until("wireguard-go does not start", WAIT, lambda: os.path.exists(f"/run/wireguard/{device}.sock"), [program])
            key = write(f"{here}.key", keys[here])
            os.chmod(key, 0o600)
            inside(here, ["wg", "set", device, "private-key", key, "listen-port", "51820", "peer", public[there],
                          "endpoint", f"{address}:51820", "allowed-ips", ",".join(allowed)])
            run(f"ip -n {here} link set {device} mtu 1420 up")
            route(here, allowed, f"dev {device}")
        self.lns = programs[0]
        self.ready(programs)


class OpenVpn(Contestant):
    title = "OpenVPN without cipher"

    def start(self):
        programs = []
        for here, local, remote, near, far, routes in (("lns", LNS, LAC, "198.18.50.1", "198.18.50.2", BEHIND),
                                                       ("lac", LAC, LNS, "198.18.50.2", "198.18.50.1", BEYOND)):
            programs.append(Program(here, ["openvpn", "--dev", "tun9", "--dev-type", "tun", "--local", local, "--remote", remote, "--port", "1194",
                                           "--ifconfig", near, far, "--tun-mtu", "1450", "--verb", "1", "--cipher", "none", "--auth", "none",
                                           "--disable-dco", "--sndbuf", "2097152", "--rcvbuf", "2097152", "--txqueuelen", "1000"], f"openvpn-{here}"))
            until("OpenVPN does not start", WAIT, lambda: "tun9" in run(f"ip -n {here} -br addr") and near in run(f"ip -n {here} -br addr"), programs)
            run(f"ip -n {here} link set tun9 up")
            route(here, routes, "dev tun9")
        self.lns = programs[0]
        self.ready(programs)


ALL = {
    "limit": Kernel, "kernel-rps": KernelOnAllCores, "kernel-plain": KernelWithoutOffloads, "vxlan": Vxlan, "culvert": Culvert,
    "l2tpns": L2tpns, "softether": SoftEther, "wireguard-go": WireGuardGo, "openvpn": OpenVpn,
}
PROGRAMS = {
    "l2tpns": ["l2tpns", "freeradius"], "softether": ["/usr/libexec/softether/vpnserver/vpnserver", "/usr/libexec/softether/vpncmd/vpncmd", "nft"],
    "wireguard-go": ["wireguard-go", "wg"], "openvpn": ["openvpn"],
}
