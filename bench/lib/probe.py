"""Round trips of small UDP packets.   probe.py echo   |   probe.py ask SECONDS LOCAL:REMOTE...   (prints JSON, microseconds)

Several pairs are asked in turn, so that all see the same moment. Both ends run before everybody else (SCHED_FIFO), so that what is measured is
the way between them; pauses are random, so that they do not keep step with the load.
"""
import gc
import json
import os
import random
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
        s.settimeout(0.1)
        sockets.append(s)
    times, lost, number, chance = [[] for _ in pairs], [0] * len(pairs), 0, random.Random(1)
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
            time.sleep(0.0005 + chance.random() * 0.001)
    print(json.dumps([{"times": sorted(t), "lost": n} for t, n in zip(times, lost)]))


if __name__ == "__main__":
    gc.disable()
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(40))
    if sys.argv[1] == "echo":
        echo()
    else:
        ask(float(sys.argv[2]), [tuple(pair.split(":")) for pair in sys.argv[3:]])
