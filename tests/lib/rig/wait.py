"""Waiting for events of the system: files that appear, processes that end, sockets."""

import ctypes
import os
import select
import struct
import time

IN_CLOSE_WRITE = 0x8
IN_MOVED_TO = 0x80
IN_MODIFY = 0x2

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Events of one folder or file (inotify), usable in poll."""

    def __init__(self, path, mask=IN_CLOSE_WRITE | IN_MOVED_TO):
        self.fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if _libc.inotify_add_watch(self.fd, os.fsencode(str(path)), mask) < 0:
            raise OSError(ctypes.get_errno(), f"inotify_add_watch {path}")

    def drain(self):
        try:
            os.read(self.fd, 65536)
        except BlockingIOError:
            pass

    def close(self):
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ready(fd, timeout, events=select.POLLIN):
    """True when `fd` is ready within `timeout` seconds."""
    p = select.poll()
    p.register(fd, events)
    return bool(p.poll(max(0, timeout) * 1000))


def until(condition, path, timeout, what, mask=IN_CLOSE_WRITE | IN_MOVED_TO | IN_MODIFY):
    """Wait until `condition()` is true, looking again whenever `path` changes."""
    end = time.monotonic() + timeout
    with Watch(path, mask) as w:
        while True:
            got = condition()
            if got:
                return got
            if not ready(w.fd, end - time.monotonic()):
                got = condition()
                if got:
                    return got
                raise TimeoutError(f"{what}: not within {timeout} s")
            w.drain()


def rss_kb(pid, field="VmRSS"):
    """Memory of a process in kB, from /proc: VmRSS now, VmHWM at its highest."""
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise LookupError(field)


def process_ended(pid, timeout):
    """True when the process has ended within `timeout` seconds."""
    fd = os.pidfd_open(pid)
    try:
        return ready(fd, timeout)
    finally:
        os.close(fd)


RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST
