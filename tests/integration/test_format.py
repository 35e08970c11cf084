"""The tape's own checks, done again in Python: a CRC in each record, checkpoints over the
records between them. What another language needs to know to trust a tape."""

import msgpack

from rig import frames, raw
from rig.tape import CHECKPOINT, OPEN, SUMMARY

CRC_BYTES = 5  # the last element of a record: 0xce and four bytes


def make_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ 0x82F63B78 * (n & 1)  # Castagnoli's polynomial, reflected
        table.append(n)
    return table


TABLE = make_table()


def crc32c(data, seed=0):
    crc = ~seed & 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return ~crc & 0xFFFFFFFF


def split(data):
    """The objects of a tape with their bytes."""
    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(data)
    at = 0
    for value in unpacker:
        yield value, data[at:unpacker.tell()]
        at = unpacker.tell()


def make_tape(record, listener):
    w = record(listener.url())
    client, server = raw.upgrade(w.port, listener)
    for i in range(300):
        data = frames.frame(frames.BINARY, bytes(i), mask=frames.MASK)
        client.send(data)
        server.read_to(len(server.got) + len(data))
    client.close()
    server.close()
    w.stop()
    return w.tape.read_bytes()


def test_crc_of_the_check_string():
    assert crc32c(b"123456789") == 0xE3069283


def test_every_record_has_its_crc(record, listener):
    objects = list(split(make_tape(record, listener)))
    header, header_bytes = objects[0]
    assert header["format"] == "wstape" and header["version"] == 1
    assert header["crc"] == crc32c(header_bytes[:-CRC_BYTES])
    for value, data in objects[1:]:
        assert data[-CRC_BYTES] == 0xCE
        assert value[-1] == crc32c(data[:-CRC_BYTES], header["id"]), value[:3]
    assert objects[1][0][0] in (OPEN, CHECKPOINT) and objects[-1][0][0] == SUMMARY
    assert objects[-1][0][4] == len(objects) - 2  # all but the header and itself


def test_checkpoints_cover_all_records(record, listener):
    header, *rest = split(make_tape(record, listener))
    count = size = crc = 0
    checkpoints = 0
    for value, data in rest:
        if value[0] == CHECKPOINT:
            checkpoints += 1
            _, _, _, tape, number, records, length, check, _ = value
            assert (tape, number) == (header[0]["id"], checkpoints)
            assert (records, length, check) == (count, size, crc)
            count = size = crc = 0
            continue
        count, size = count + 1, size + len(data)
        crc = crc32c(data[-4:], crc)
    assert checkpoints >= 2


def test_the_header_explains_the_records(record, listener):
    """For each type: its name, then what each field is."""
    header, *rest = split(make_tape(record, listener))
    for value, _ in rest:
        name, *fields = header[0]["records"][str(value[0])]
        assert name and fields[:2] == ["connection", "time_ns"] and fields[-1] == "crc"
        assert len(fields) == len(value) - 1, (fields, value)
