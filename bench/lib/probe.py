"""Round trips of small UDP packets.   probe.py echo PORT   |   probe.py ask SECONDS LOCAL:REMOTE...   (prints JSON, microseconds)

Several pairs are asked in turn, so that all see the same moment.
"""
import json
import socket
import struct
import sys
import time

PORT = 7


def echo():
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.setsockopt(socket.IPPROTO_IP, 8, 1)     # IP_PKTINFO: the answer leaves from the address that was asked
    here.bind(("0.0.0.0", PORT))
    while True:
        data, ancillary, _, source = here.recvmsg(2048, 64)
        here.sendmsg([data], [(level, kind, struct.pack("=I4s4s", 0, value[4:8], b"\0" * 4)) for level, kind, value in ancillary if kind == 8], 0, source)


def ask(seconds, pairs):
    sockets = []
    for local, remote in pairs:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((local, 0))
        s.connect((remote, PORT))
        s.settimeout(0.05)
        sockets.append(s)
    times, lost, number = [[] for _ in pairs], [0] * len(pairs), 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for i, s in enumerate(sockets):
            number += 1
            begin = time.perf_counter_ns()
            try:
                s.send(struct.pack("!Q", number).ljust(64, b"x"))
                while struct.unpack("!Q", s.recv(2048)[:8])[0] != number:
                    pass
                times[i].append((time.perf_counter_ns() - begin) / 1000)
            except OSError:
                lost[i] += 1
            time.sleep(0.001)
    print(json.dumps([{"times": sorted(t), "lost": n} for t, n in zip(times, lost)]))


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        echo()
    else:
        ask(float(sys.argv[2]), [tuple(pair.split(":")) for pair in sys.argv[3:]])
