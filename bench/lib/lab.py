"""The network of one measurement: client, LAC, LNS and server in namespaces of their own, and the programs in them.

    client c0 -- l0 lac a0 --(access link)-- a1 lns s1 -- s0 server

Runs inside private mount, network and process namespaces (see compare.py): what is made here vanishes with the process.
"""
import ctypes
import json
import os
import signal
import subprocess
import time

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
HOME = "/run/bench"
DLL = os.environ.get("CULVERT_DLL", "")

LINKS = [("client", "c0", "198.51.100.2/24"), ("lac", "l0", "198.51.100.1/24"), ("lac", "a0", "203.0.113.2/24"),
         ("lns", "a1", "203.0.113.1/24"), ("lns", "s1", "192.0.2.1/24"), ("server", "s0", "192.0.2.2/24")]
LAC, LNS, BLAST, BLAST_MANY = "203.0.113.2", "203.0.113.1", "203.0.113.3", "203.0.113.4"
CLIENT, SERVER = "198.51.100.2", "192.0.2.2"              # the way through the contestant
PLAIN_CLIENT, PLAIN_SERVER = "198.51.101.2", "198.18.0.2"   # the plain way beside it
SINK_UP, SINK_DOWN = "198.18.1.1", "198.51.102.1"           # packets to these are counted and thrown away
PLAIN_SINK_UP, PLAIN_SINK_DOWN = "198.18.2.1", "198.51.103.1"


class Trouble(Exception):
    """A measurement that could not be made; the text says why."""


def run(command, timeout=20, check=True, **how):
    try:
        done = subprocess.run(command, shell=isinstance(command, str), timeout=timeout, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
    except subprocess.TimeoutExpired:
        raise Trouble(f"no end within {timeout} s: {command}") from None
    if check and done.returncode:
        raise Trouble(f"{command}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def inside(namespace, command, **how):
    return run(["nsenter", f"--net=/run/netns/{namespace}", *command], **how)


def enter(namespace):
    """This thread, for good."""
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(there, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(there)


def device_index(device):
    return libc.if_nametoindex(device.encode())


class entered:
    """This thread's network namespace while it opens a socket, which stays there."""

    def __init__(self, namespace):
        self.namespace = namespace

    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        enter(self.namespace)

    def __exit__(self, *_):
        libc.setns(self.home, CLONE_NEWNET)
        os.close(self.home)


class Program:
    """A program in a namespace, with its log; CPU time and memory count its children too."""

    def __init__(self, namespace, command, log):
        self.log = f"{HOME}/{log}.log"
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", *command], stdout=out,
                                            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def family(self):
        parents = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as stat:
                    parents[int(pid)] = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                pass
        found, grown = {self.pid}, True
        while grown:
            more = {p for p, parent in parents.items() if parent in found} - found
            grown = bool(more)
            found |= more
        return found & parents.keys()

    def cpu(self):
        """Seconds, user and system, to the nanosecond: the processes' own clocks (CPUCLOCK_SCHED)."""
        total = 0
        for pid in self.family():
            try:
                total += time.clock_gettime_ns(~pid << 3 | 2)
            except OSError:
                pass        # it has just ended
        return total / 1e9

    def resident(self):
        """Octets."""
        total = 0
        for pid in self.family():
            try:
                with open(f"/proc/{pid}/statm") as statm:
                    total += int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                pass
        return total

    def end(self, patience=3):
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGTERM)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.process.wait()


def until(what, seconds, condition, programs=()):
    """Waits for a condition; when it does not come, the ends of the logs say why."""
    deadline = time.monotonic() + seconds
    while True:
        if condition():
            return
        dead = [p for p in programs if p.process.poll() is not None]
        if dead or time.monotonic() > deadline:
            logs = "; ".join(" / ".join(p.text().strip().splitlines()[-4:]) for p in programs)
            raise Trouble(f"{what}: {'a program ended' if dead else f'not within {seconds} s'}; {logs}"[:900])
        time.sleep(0.05)


def build(links, offloads=True):
    """Links: 'super' lets 64 KiB super-packets cross the access link; 'real' forces frames of at most 1500 octets."""
    run("mount -t tmpfs none /run")
    os.makedirs("/run/netns")
    os.makedirs(HOME)
    for namespace in ("client", "lac", "lns", "server"):
        run(f"ip netns add {namespace}; ip -n {namespace} link set lo up")
    run("ip -n client link add c0 type veth peer name l0 netns lac; ip -n lac link add a0 type veth peer name a1 netns lns; "
        "ip -n lns link add s1 type veth peer name s0 netns server")
    for namespace, device, address in LINKS:
        run(f"ip -n {namespace} addr add {address} dev {device} && ip -n {namespace} link set {device} up")
    run(f"""ip -n lac addr add {BLAST}/24 dev a0 && ip -n lac addr add {BLAST_MANY}/24 dev a0
        ip -n client addr add {PLAIN_CLIENT}/32 dev c0 && ip -n server addr add {PLAIN_SERVER}/32 dev lo
        ip -n client route add default via 198.51.100.1 && ip -n server route add default via 192.0.2.1
        ip -n lac route add {PLAIN_CLIENT} via {CLIENT} && ip -n lac route add {SINK_DOWN} via {CLIENT}
        ip -n lac route add {PLAIN_SERVER} via {LNS} && ip -n lac route add {PLAIN_SINK_UP} via {LNS}
        ip -n lns route add {PLAIN_CLIENT} via {LAC} && ip -n lns route add {PLAIN_SINK_DOWN} via {LAC}
        ip -n lns route add {PLAIN_SERVER} via {SERVER} && ip -n lns route add {SINK_UP} via {SERVER} && ip -n lns route add {PLAIN_SINK_UP} via {SERVER}
        ip -n server route add blackhole {SINK_UP} && ip -n server route add blackhole {PLAIN_SINK_UP}
        ip -n client route add blackhole {SINK_DOWN} && ip -n lac route add blackhole {PLAIN_SINK_DOWN}""".replace("\n", " && "))
    for namespace in ("client", "lac", "lns", "server"):
        inside(namespace, ["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"])
    for namespace, device, _ in LINKS:
        if not offloads:
            ethtool(namespace, device, "tso off gso off gro off tx-udp-segmentation off")
        elif links == "real" and device in ("a0", "a1"):
            ethtool(namespace, device, "tso off gso off tx-udp-segmentation off gro on")
            run(f"ip -n {namespace} link set {device} gso_max_segs 1")
    # The addresses of neighbours, so that no measurement waits for ARP.
    for namespace, address in (("client", "198.51.100.1"), ("lac", CLIENT), ("lac", LNS), ("lns", LAC), ("lns", SERVER), ("server", "192.0.2.1")):
        inside(namespace, ["busybox", "ping", "-c1", "-W1", address])


def ethtool(namespace, device, features):
    words = features.split()
    for feature, value in zip(words[::2], words[1::2]):
        inside(namespace, ["ethtool", "-K", device, feature, value], check=False)


def own_threads():
    """
    The LNS's devices are polled by kernel threads of their own, as a card's interrupt would be handled on another processor. Without it
    veth hands every packet on, alone, inside the call that sent it: the generator's call would do the forwarding.
    """
    for device in ("a1", "s1"):
        ethtool("lns", device, "gro on")
        in_sysfs("lns", f"/sys/class/net/{device}/threaded", "1")


def in_sysfs(namespace, file, value):
    inside(namespace, ["sh", "-c", f"mount -t sysfs none /sys && echo {value} > {file} && umount /sys"])


def mac(namespace, device):
    return bytes.fromhex(json.loads(run(f"ip -n {namespace} -j link show {device}"))[0]["address"].replace(":", ""))


def pings(namespace, source, address):
    return subprocess.run(["nsenter", f"--net=/run/netns/{namespace}", "busybox", "ping", "-c1", "-W1", "-I", source, address],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=5).returncode == 0


def packets_in(namespace):
    """IP packets that a namespace received, each segment of a larger one counted (IpExt: InNoECTPkts and its three sisters)."""
    with entered(namespace), open("/proc/thread-self/net/netstat") as file:
        rows = [line.split() for line in file if line.startswith("IpExt:")]
    values = dict(zip(rows[0], rows[1]))
    return sum(int(values[name]) for name in ("InNoECTPkts", "InECT0Pkts", "InECT1Pkts", "InCEPkts"))


def machine_cpu():
    """Seconds that all processors together were busy, without those that the host took away."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, interrupts, soft = (int(f) for f in stat.readline().split()[1:8])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def stolen():
    """Seconds that processors were wanted and the host gave them to others, all together."""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[8]) / os.sysconf("SC_CLK_TCK")


class Awake:
    """
    Processors that wait do not sleep (PM QoS, as the tuned profile network-latency has it). A virtual processor that halts is given
    to somebody else, and comes back up to milliseconds late: that is the host's latency, not the program's.
    """

    def __init__(self, wanted=True):
        self.file, self.wanted = None, wanted
        self.begin()

    def begin(self):
        try:
            if self.wanted:
                self.file = os.open("/dev/cpu_dma_latency", os.O_WRONLY)
                os.write(self.file, bytes(4))
        except OSError:
            pass            # not to be had here: the machine is as it is

    def end(self):
        if self.file is not None:
            os.close(self.file)
            self.file = None
