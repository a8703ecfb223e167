"""Packets: a generator that is cheaper than what it loads, and a probe of round trips.

The generator gives whole Ethernet frames to the device by sendmmsg on a packet socket, 64 a call, past routing and queues. Python
only makes the call; a packet costs what the kernel spends on it. Receivers are the kernel's counters in front of a blackhole route.
"""
import ctypes
import random
import socket
import struct
import time

import lab

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
    """How one session's data look on the access link, learned from a packet of its own."""

    def __init__(self, outer_source, outer_destination, ports, prefix, address):
        self.outer = (outer_source, outer_destination, *ports)
        self.prefix = prefix        # L2TP and PPP headers
        self.address = address      # the subscriber's

    def wrap(self, packet):
        prefix = self.prefix
        if prefix[0] & 0x40:        # the Length field is there
            prefix = prefix[:2] + struct.pack("!H", len(prefix) + len(packet)) + prefix[4:]
        return udp(*self.outer, prefix + packet)


def learn(namespace, device, wanted, seconds=4.0):
    """Listens to data messages (version 2, T bit 0) that leave a device, until so many sessions are known."""
    with lab.entered(namespace):
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    listener.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)
    listener.bind((device, 0x0003))
    listener.settimeout(0.2)
    found, deadline = {}, time.monotonic() + seconds
    while len(found) < wanted and time.monotonic() < deadline:
        try:
            frame, where = listener.recvfrom(65536)
        except TimeoutError:
            continue
        if where[2] != 4 or frame[12:14] != b"\x08\x00" or frame[23] != 17 or len(frame) < 64:
            continue
        ports, payload = struct.unpack("!HH", frame[34:38]), frame[42:]
        if ports[1] != 1701 or payload[0] & 0x80 or payload[1] & 0x0F != 2:
            continue
        at = 6 + (2 if payload[0] & 0x40 else 0) + (4 if payload[0] & 0x08 else 0) + (2 if payload[0] & 0x02 else 0)
        at += 2 if payload[at:at + 2] == b"\xff\x03" else 0
        at += 1 if payload[at] == 0x21 else 2 if payload[at:at + 2] == b"\x00\x21" else 0
        if payload[at] != 0x45:
            continue
        session = Session(socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34]), ports, payload[:at],
                          socket.inet_ntoa(payload[at + 12:at + 16]))
        found[session.prefix[-8:] + session.address.encode()] = session
    listener.close()
    return list(found.values())


class Generator:
    """Sends a list of frames again and again."""

    class _Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    class _Message(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32), ("vectors", ctypes.c_void_p), ("count", ctypes.c_size_t),
                    ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t), ("flags", ctypes.c_int), ("sent", ctypes.c_uint32)]

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

    def send(self, most=BATCH):
        first = ctypes.addressof(self.messages) + self.at * ctypes.sizeof(self._Message)
        sent = libc_sendmmsg(self.socket.fileno(), first, min(most, self.count - self.at), 0x40)
        if sent <= 0:
            # The device's queue is full: nothing was sent, the rest of the batch is skipped.
            sent = 0
        self.at = (self.at + (sent or min(most, self.count - self.at))) % self.count
        return sent

    def blast(self, seconds):
        """As fast as it goes; packets sent."""
        total, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            total += self.send()
        return total

    def pace(self, rate, stop):
        """So many packets per second in steps of half a millisecond, until told to stop."""
        begin, sent = time.monotonic(), 0
        while not stop():
            due = int((time.monotonic() - begin) * rate) - sent
            while due > 0:
                step = min(due, BATCH)
                self.send(step)
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


def flood(generator, count, seconds, program=None):
    """Packets per second that arrive, that were sent, and CPU seconds of a program and of the machine per million that arrived."""
    generator.blast(0.1)
    time.sleep(0.1)     # what was queued meanwhile is not counted
    cpu, machine = program.cpu() if program else 0, lab.machine_cpu()
    before, begin = count(), time.monotonic()
    sent = generator.blast(seconds)
    elapsed = time.monotonic() - begin
    arrived = count() - before
    time.sleep(0.02)
    figures = {"pps": arrived / elapsed, "sent": sent / elapsed}
    if arrived:
        figures["machine_cpu_per_million"] = (lab.machine_cpu() - machine) / arrived * 1e6
        if program:
            figures["cpu_per_million"] = (program.cpu() - cpu) / arrived * 1e6
    return figures
