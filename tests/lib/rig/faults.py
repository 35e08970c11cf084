"""What a tape says of the rules that acted."""

import collections

from .tape import records

FAULT = 10
SIDES = ("client", "server")

Fault = collections.namedtuple(
    "Fault", "connection time side opcode message rule action applied drawn draw text")


def faults_of(path, **wanted):
    """The faults of a tape in its order, those with these fields. `side` is whose message
    it was; `draw` is between 0 and 1."""
    found = []
    for r in records(path)[1:]:
        if r[0] == FAULT:
            f = Fault(*r[1:12])
            f = f._replace(side=SIDES[f.side], draw=f.draw / 2**53)
            if all(getattr(f, k) == v for k, v in wanted.items()):
                found.append(f)
    return found


def acts(path, **wanted):
    """The same, only as (side, message, action)."""
    return [(f.side, f.message, f.action) for f in faults_of(path, **wanted)]
