"""Packets: what they look like, who sends them (xdp.py), and how many get through. Receivers are the kernel's counters in front of a blackhole route.
"""
import ctypes
import mmap
import os
import random
import signal
import socket
import struct
import time

import lab
import xdp

# Seven, four and one of twelve; the largest fits whole into every tunnel here.
IMIX = (64, 64, 64, 576, 64, 576, 64, 1400, 64, 576, 64, 576)
FLOWS = 16
BATCH = 64
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(source, destination, payload, protocol=17):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(source, destination, source_port, port, payload):
    head = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 17, 8 + len(payload))
    return ipv4(source, destination, head[:6] + struct.pack("!H", checksum(pseudo + head + payload) or 0xFFFF) + payload)


class Session:
    """How one session's data look on the access link."""

    def __init__(self, outer_source, outer_destination, ports, prefix, address):
        self.outer = (outer_source, outer_destination, *ports)
        self.prefix = prefix        # L2TP and PPP headers
        self.address = address      # the subscriber's

    def wrap(self, packet):
        return udp(*self.outer, self.prefix + packet)


def sessions(file):
    """What `culvert blast --list` wrote."""
    found = []
    with open(file) as lines:
        for line in lines:
            local, tunnel, session, address = line.split()
            source, _, port = local.rpartition(":")
            found.append(Session(source, lab.LNS, (int(port), 1701), struct.pack("!HHH", 2, int(tunnel), int(session)) + b"\xff\x03\x00\x21", address))
    return found


class SocketGenerator:
    """The same by sendmmsg on a packet socket: where the kernel does not let XDP programs run. Costs about ten times as much."""

    name = "packet socket"

    class _Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    class _Message(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("vectors", ctypes.c_void_p), ("count", ctypes.c_size_t),
                    ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t), ("flags", ctypes.c_int), ("_", ctypes.c_int),
                    ("sent", ctypes.c_uint32), ("__", ctypes.c_int)]

    def __init__(self, namespace, device, destination_mac, packets):
        with lab.entered(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((device, 0))
        self.socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        head = destination_mac + lab.mac(namespace, device) + b"\x08\x00"
        self.count = -(-len(packets) // BATCH) * BATCH
        frames = [head + packets[i % len(packets)] for i in range(self.count)]
        self.memory = ctypes.create_string_buffer(b"".join(frames))
        self.vectors = (self._Vector * self.count)()
        self.messages = (self._Message * self.count)()
        at = ctypes.addressof(self.memory)
        for i, frame in enumerate(frames):
            self.vectors[i] = self._Vector(at, len(frame))
            self.messages[i].vectors = ctypes.addressof(self.vectors[i])
            self.messages[i].count = 1
            at += len(frame)
        self.at = 0
        self.shared = mmap.mmap(-1, 8)
        self.child = None

    def send(self, most=BATCH):
        first = ctypes.addressof(self.messages) + self.at * ctypes.sizeof(self._Message)
        sent = libc_sendmmsg(self.socket.fileno(), first, min(most, self.count - self.at), 0x40)
        if sent <= 0:
            # The device's queue is full: nothing was sent, the rest of the batch is skipped.
            sent = 0
        self.at = (self.at + (sent or min(most, self.count - self.at))) % self.count
        return sent

    @property
    def sent(self):
        return struct.unpack("=Q", self.shared[:8])[0]

    def start(self, rate=0):
        self.child = os.fork()
        if self.child:
            return
        try:
            os.sched_setscheduler(0, xdp.SCHED_IDLE, os.sched_param(0))
            before, begin, total = self.sent, time.monotonic(), 0
            while True:
                if not rate or total < (time.monotonic() - begin) * rate:
                    total += self.send()
                    self.shared[:8] = struct.pack("=Q", before + total)
        finally:
            os._exit(1)

    def stop(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)

    def pace(self, rate, stop):
        """So many packets per second in steps of half a millisecond, until told to stop; packets sent. It sleeps in between."""
        begin, sent = time.monotonic(), 0
        while not stop():
            due = int((time.monotonic() - begin) * rate) - sent
            while due > 0:
                step = min(due, BATCH)
                self.send(step)     # what the device does not take is lost, as on a wire
                sent += step
                due -= step
            time.sleep(0.0005)
        return sent

    def close(self):
        self.socket.close()


libc_sendmmsg = lab.libc.sendmmsg
libc_sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]


def packets(source, destination, sizes, wrap=None):
    """UDP packets of these sizes (octets of the IP packet), over several flows, neighbours never of the same one."""
    made = []
    chance = random.Random(1)
    for i in range(BATCH * 12):
        size = sizes[i % len(sizes)]
        packet = udp(source, destination, 20000 + i % FLOWS, 9, chance.randbytes(size - 28))
        made.append(wrap(packet) if wrap else packet)
    return made


def maker():
    return (xdp.Generator if xdp.works() else SocketGenerator).name


def generator(namespace, device, destination_mac, packets):
    return (xdp.Generator if xdp.works() else SocketGenerator)(namespace, device, destination_mac, packets)


def observe(generator, rate, count, seconds, program=None):
    """Packets per second that arrive while so many are offered (0: as many as go), and CPU seconds of a program per million of those."""
    generator.start(rate)
    time.sleep(0.08)
    cpu, before, sent, begin = program.cpu() if program else 0, count(), generator.sent, time.monotonic()
    time.sleep(seconds)
    arrived, elapsed = count() - before, time.monotonic() - begin
    sent, cpu = generator.sent - sent, program.cpu() - cpu if program else 0
    generator.stop()
    figures = {"pps": arrived / elapsed, "sent": sent / elapsed}
    if arrived and program:
        figures["cpu_per_million"] = cpu / arrived * 1e6
    return figures


def most(generator, count, seconds, program=None, begin=100_000):
    """
    The most that gets through: offers more and more until a third is lost twice, and takes the best. Offered far too much, a receiver
    spends its time on what it throws away, which is another question; one loss may be the machine's.
    """
    tried, rate, losses = [], begin, 0
    while losses < 2 and rate < 5e6:
        tried.append(observe(generator, rate, count, seconds, program))
        losses += tried[-1]["pps"] < 0.67 * rate
        rate *= 1.5
        time.sleep(0.02)
    rate = begin
    while max(t["pps"] for t in tried) < 0.67 * rate and rate > 10_000:     # even the first was too much: look below
        rate /= 1.5
        tried.append(observe(generator, rate, count, seconds, program))
    return max(tried, key=lambda t: t["pps"])
