"""A generator of packets that costs next to nothing: an XDP program, run by the kernel on frames of its own, sends them to a device.

BPF_PROG_RUN with "live frames" (Linux 5.18) makes frames out of recycled pages, hands each to the program and does what it answers. The program
copies the next frame of a list over it and answers "redirect to the device": the frame enters the veth's ring as if a card had
received it at the other end, 64 in a turn, with no system call, no socket and no copy of a buffer for each. Where the ring is full it is
thrown away, as a card does. The far end must use NAPI (GRO on).
"""
import ctypes
import os
import signal
import struct
import time

import lab

MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, PROG_LOAD, PROG_RUN = 0, 1, 2, 5, 10
ARRAY, XDP, LIVE_FRAMES, NR_BPF, SCHED_IDLE = 2, 6, 2, 321, 5
BATCH = 64
CATCH_UP = 500_000      # nanoseconds that a generator that was held up makes up for: at most half of a veth's ring at 250,000 packets per second
LOOKUP_ELEM, KTIME_GET_NS, REDIRECT, XDP_ADJUST_TAIL, XDP_STORE_BYTES = 1, 5, 23, 65, 190


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
    done = lab.libc.syscall(NR_BPF, command, buffer, 128)
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"bpf command {command}: {os.strerror(number)}")
    return done


def array(entries, size):
    return bpf(MAP_CREATE, struct.pack("=IIII", ARRAY, 4, size, entries))


def put(map_file, index, value):
    key, buffer = ctypes.c_uint32(index), ctypes.create_string_buffer(value, len(value))
    bpf(MAP_UPDATE, struct.pack("=IIQQQ", map_file, 0, ctypes.addressof(key), ctypes.addressof(buffer), 0))


def get(map_file, index, size):
    key, buffer = ctypes.c_uint32(index), ctypes.create_string_buffer(size)
    bpf(MAP_LOOKUP, struct.pack("=IIQQQ", map_file, 0, ctypes.addressof(key), ctypes.addressof(buffer), 0))
    return buffer.raw


def instruction(code, target=0, source=0, offset=0, value=0):
    return struct.pack("=BBhi", code, source << 4 | target, offset, value)


def program(state, frames, count, size, device):
    """
    The code: take the next frame of the list, make this one as long, copy it, redirect. Before its time it is dropped instead, which
    costs so little that it serves as waiting. The state is {packets sent, when the next is due, nanoseconds between them or 0}.
    """
    load_map = lambda target, file: instruction(0x18, target, 1, 0, file) + instruction(0, 0, 0, 0, 0)
    move, move_value = lambda t, s: instruction(0xBF, t, s), lambda t, v: instruction(0xB7, t, 0, 0, v)
    add, subtract = lambda t, v: instruction(0x07, t, 0, 0, v), lambda t, s: instruction(0x1F, t, s)
    call = lambda function: instruction(0x85, 0, 0, 0, function)
    load_word, store_word = lambda t, s, o: instruction(0x61, t, s, o), lambda t, o, s: instruction(0x63, t, s, o)
    load_long, store_long = lambda t, s, o: instruction(0x79, t, s, o), lambda t, o, s: instruction(0x7B, t, s, o)
    jump = lambda operation, target, value, place, source=0: (operation, target, source, value, place)
    SAME, DIFFERENT, GREATER, AT_MOST, GREATER_THAN_REGISTER, AT_LEAST_REGISTER = 0x15, 0x55, 0x25, 0xB5, 0x2D, 0x3D
    look_up = lambda file: [store_word(10, -4, 1), move(2, 10), add(2, -4), load_map(1, file), call(LOOKUP_ELEM), jump(SAME, 0, 0, "drop")]
    steps = [
        move(6, 1), move_value(1, 0), *look_up(state), move(9, 0),
        load_long(8, 9, 16), jump(SAME, 8, 0, "send"),
        call(KTIME_GET_NS), load_long(1, 9, 8), jump(GREATER_THAN_REGISTER, 1, 0, "drop", 0),
        move(2, 0), add(2, -CATCH_UP), jump(AT_LEAST_REGISTER, 1, 0, "in time", 2), move(1, 2),
        "in time", instruction(0x0F, 1, 8), store_long(9, 8, 1),
        "send", load_long(1, 9, 0), move(2, 1), add(2, 1), store_long(9, 0, 2),
        instruction(0x97, 1, 0, 0, count), *look_up(frames), move(7, 0),
        load_word(8, 7, 0), jump(AT_MOST, 8, 13, "drop"), jump(GREATER, 8, size, "drop"),
        load_word(1, 6, 0), load_word(2, 6, 4), subtract(2, 1), move(9, 8), subtract(9, 2),
        move(1, 6), move(2, 9), call(XDP_ADJUST_TAIL), jump(DIFFERENT, 0, 0, "drop"),
        move(1, 6), move_value(2, 0), move(3, 7), add(3, 8), move(4, 8), call(XDP_STORE_BYTES), jump(DIFFERENT, 0, 0, "drop"),
        move_value(1, device), move_value(2, 0), call(REDIRECT), instruction(0x95),
        "drop", move_value(0, 1), instruction(0x95),
    ]
    length = lambda step: 0 if isinstance(step, str) else 1 if isinstance(step, tuple) else len(step) // 8
    places, at = {}, 0
    for step in steps:
        if isinstance(step, str):
            places[step] = at
        at += length(step)
    code = b""
    for step in steps:
        if isinstance(step, tuple):
            operation, target, source, value, place = step
            code += instruction(operation, target, source, places[place] - len(code) // 8 - 1, value)
        elif not isinstance(step, str):
            code += step
    return code


def load(code):
    log, text = ctypes.create_string_buffer(1 << 16), ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"Dual BSD/GPL")
    try:
        return bpf(PROG_LOAD, struct.pack("=IIQQIIQ", XDP, len(code) // 8, ctypes.addressof(text), ctypes.addressof(licence),
                                          1, len(log), ctypes.addressof(log)))
    except OSError as why:
        raise OSError(why.errno, f"{why.strerror}; {log.value.decode(errors='replace')[-300:]}") from None


class Generator:
    """Sends a list of frames again and again with what processor time nobody else wants (SCHED_IDLE). The first measurement of `sent` is 0."""

    name = "XDP live frames"

    def __init__(self, namespace, device, destination_mac, packets):
        head = destination_mac + lab.mac(namespace, device) + b"\x08\x00"
        self.namespace = namespace
        self.size = max(64, max(map(len, packets)) + len(head))
        room = -(-self.size // 8) * 8
        self.state, self.frames = array(1, 24), array(len(packets), 8 + room)
        for i, packet in enumerate(packets):
            put(self.frames, i, struct.pack("=II", len(packet) + len(head), 0) + (head + packet).ljust(room, b"\0"))
        with lab.entered(namespace):
            index = lab.device_index(device)
        self.program = load(program(self.state, self.frames, len(packets), self.size, index))
        self.child = None

    @property
    def sent(self):
        return struct.unpack("=Q", get(self.state, 0, 24)[:8])[0]

    def start(self, rate=0):
        """In a process of its own, until `stop`; packets per second, 0: as many as go."""
        put(self.state, 0, struct.pack("=QQQ", self.sent, 0, int(1e9 / rate) if rate else 0))
        self.child = os.fork()
        if self.child:
            return
        try:
            lab.enter(self.namespace)
            os.sched_setscheduler(0, SCHED_IDLE, os.sched_param(0))
            while True:
                self.run(1 << 20)
        except BaseException as why:
            os.write(2, f"{why}\n".encode())
        finally:
            os._exit(1)

    def stop(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)

    def run(self, count):
        """In the namespace where the caller is."""
        frame = ctypes.create_string_buffer(self.size)
        bpf(PROG_RUN, struct.pack("=IIIIQQIIIIQQIII", self.program, 0, self.size, 0, ctypes.addressof(frame), 0, count, 0, 0, 0, 0, 0,
                                  LIVE_FRAMES, 0, min(BATCH, count)))

    def close(self):
        for file in (self.program, self.frames, self.state):
            os.close(file)


def works():
    """Whether this kernel lets us: live frames need Linux 5.18 and the right to load programs."""
    try:
        os.close(array(1, 8))
        return True
    except OSError:
        return False
