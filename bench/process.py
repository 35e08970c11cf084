"""What a process and its children cost: processor time and memory, from /proc."""

import os
import time

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def family(pid):
    """`pid` (or several), its children, theirs, and so on."""
    found, todo = set(), list(pid) if isinstance(pid, tuple) else [pid]
    while todo:
        one = todo.pop()
        found.add(one)
        try:
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children") as f:
                    todo += [int(child) for child in f.read().split()]
        except OSError:
            pass  # it ended meanwhile
    return found


def _thread_cpu_us(folder):
    try:
        with open(f"{folder}/schedstat") as f:
            return int(f.read().split()[0]) / 1000
    except OSError:  # a kernel without it counts in ticks only
        with open(f"{folder}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS_A_SECOND


def cpu_us(pid):
    """Microseconds of processor time that the family has used, user and system."""
    total = 0
    for one in family(pid):
        try:
            for thread in os.listdir(f"/proc/{one}/task"):
                total += _thread_cpu_us(f"/proc/{one}/task/{thread}")
        except OSError:
            pass
    return total


def _status_kib(pid, field):
    total = 0
    for one in family(pid):
        try:
            with open(f"/proc/{one}/status") as f:
                for line in f:
                    if line.startswith(field + ":"):
                        total += int(line.split()[1])
        except OSError:
            pass
    return total


def rss_bytes(pid):
    """Resident memory of the family now."""
    return 1024 * _status_kib(pid, "VmRSS")


def peak_rss_bytes(pid):
    """The most resident memory each of the family ever had, added up."""
    return 1024 * _status_kib(pid, "VmHWM")


def _ticks():
    """Ticks of all processors since the start: busy, and altogether."""
    with open("/proc/stat") as f:
        ticks = [int(n) for n in f.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # idle, waiting for a disk


def busy_share(seconds):
    """How much of the machine is used in the next `seconds`, by anything: 0 to 1."""
    busy, total = _ticks()
    time.sleep(seconds)
    busy_then, total_then = _ticks()
    return (busy_then - busy) / max(1, total_then - total)
