"""Memory that the machine has touched lately.

A virtual machine pays for a page of memory when it touches it first, and again when its
host took the page back while it was free. A tape written at full speed needs so many new
pages that this alone halves its speed, in one round and not in the next. So the memory
that a measurement may need is held, and let go just before it.
"""

import mmap
import re


def _available_bytes():
    with open("/proc/meminfo") as f:
        return 1024 * int(re.search(r"MemAvailable:\s+(\d+)", f.read()).group(1))


class Reserve:
    """Touched memory, in this process's hands or free since a moment."""

    def __init__(self):
        self.held = None

    def hold(self, size):
        self.release()
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
        self.held = mmap.mmap(-1, min(size, _available_bytes() // 3), flags=flags)

    def release(self):
        if self.held is not None:
            self.held.close()
            self.held = None
