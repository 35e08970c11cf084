"""List all messages of a tape: read_tape.py TAPE. Needs nothing of wstape, only msgpack."""
import sys
import zlib

import msgpack

KINDS = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


def messages(tape):
    """(connection, sender, kind, payload) of each message and control frame."""
    deflated, inflaters, frames, begun = set(), {}, {}, {}
    records = msgpack.Unpacker(tape, max_buffer_size=0)
    next(records)  # the header map
    for r in records:
        if r[0] == 4 and b"permessage-deflate" in r[4]:
            deflated.add(r[1])
        elif r[0] == 6:  # a frame, or its first piece
            frames[r[1], r[3]] = [r[4], r[5], r[9]]
        elif r[0] == 7:  # its next piece
            frames[r[1], r[3]][2] += r[5]
        if r[0] not in (6, 7) or len(frames[r[1], r[3]][2]) < frames[r[1], r[3]][1]:
            continue
        key = connection, side = r[1], r[3]
        first, _, data = frames[key]
        if first & 0x08 == 0:  # not a control frame: it begins or continues a message
            begin, parts = begun.setdefault(key, (first, []))
            parts.append(data)
            if not first & 0x80:
                continue
            first, data = begin, b"".join(parts)
            del begun[key]
        if first & 0x40 and connection in deflated:
            z = inflaters.setdefault(key, zlib.decompressobj(-15))
            data = z.decompress(data + b"\0\0\xff\xff")
        yield connection, "server" if side else "client", KINDS.get(first & 15), data


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        for message in messages(file):
            print(*message)
