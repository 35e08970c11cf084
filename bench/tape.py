"""Count what a tape holds, with nothing but msgpack and the legend in its header."""

import collections

import msgpack

Count = collections.namedtuple("Count", "frames payload_bytes")

SIDES = ("client", "server")


def _places(header, name):
    """The type number of the records called `name`, and each field's place in them."""
    for number, fields in header["records"].items():
        if fields[0] == name:
            return int(number), {field: at for at, field in enumerate(fields)}
    raise ValueError(f"this tape's header names no record {name!r}")


def count_frames(path):
    """{"client": Count, "server": Count} of what came from each side: whole frames that
    carry data, and all their payload."""
    frames, size = [0, 0], [0, 0]
    left = collections.Counter()  # payload yet to come, by connection and side
    with open(path, "rb") as f:
        records = msgpack.Unpacker(
            f, strict_map_key=False, use_list=False, read_size=1 << 20
        )
        header = next(records)
        frame, at = _places(header, "frame")
        more, more_at = _places(header, "more")
        side, first, payload = at["from"], at["first"], at["payload"]
        declared, connection = at["payload_len"], at["connection"]
        for r in records:
            if r[0] == frame:
                if r[first] & 0x0F >= 8:
                    continue
                length = len(r[payload])
                size[r[side]] += length
                if length == r[declared]:
                    frames[r[side]] += 1
                else:
                    left[r[connection], r[side]] = r[declared] - length
            elif r[0] == more:
                key = r[connection], r[more_at["from"]]
                length = len(r[more_at["payload"]])
                size[key[1]] += length
                left[key] -= length
                if left[key] == 0:
                    frames[key[1]] += 1
    return {name: Count(frames[i], size[i]) for i, name in enumerate(SIDES)}
