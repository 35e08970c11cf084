/*
 * A tape, read whole and in pieces: the same items without a hole between them; a
 * record encoded again reads the same; and repairing gives a sound tape with the same
 * records.
 *
 * The first byte says where the tape comes from: 0, the rest as it is; 1, the rest with
 * every CRC made right, so that decoding gets to see strange fields; 2, a sound tape to
 * which the rest does damage: then no record may come out that is not on it.
 */
#include "captures/decode.h"
#include "captures/repair.h"
#include "tests/fuzz/target.h"

enum { ID = 0x66757a7a, FRAMES = 24, EDIT_LEN = 4 };

struct pieces {
    struct bytes bytes;
    size_t chunk; /* bytes given at once */
};

static long give(void *object, uint64_t at, void *out, size_t len)
{
    const struct pieces *p = object;

    if (at >= p->bytes.len) {
        return 0;
    }
    len = len < p->chunk ? len : p->chunk;
    len = len < p->bytes.len - at ? len : p->bytes.len - (size_t)at;
    memcpy(out, p->bytes.at + at, len);
    return (long)len;
}

static uint64_t size_of(void *object)
{
    const struct pieces *p = object;

    return p->bytes.len;
}

static int take(void *object, struct iovec *iov, int count, size_t *done)
{
    *done = 0;
    for (int i = 0; i < count; i++) {
        put(object, bytes_make(iov[i].iov_base, iov[i].iov_len));
        *done += iov[i].iov_len;
    }
    return 0;
}

static int sync_nothing(void *object)
{
    (void)object;
    return 0;
}

/* ---- making tapes ---- */

/* What tapes are made with before the CRC is right: the bytes of one object. */
static void seal(uint8_t *object, const struct capture_scan *scan, uint32_t seed)
{
    uint32_t crc = crc32c(seed, bytes_make(object, scan->crc_at));

    for (size_t i = 0; i < 4; i++) {
        object[scan->crc_at + 1 + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
}

static void seal_all(struct buf *tape)
{
    struct capture_scan scan;
    size_t at = 0;

    if (capture_scan_header(buf_bytes(tape), &scan) == 0) {
        seal(tape->at, &scan, 0);
        at = scan.len;
    }
    while ((at = capture_scan_find(buf_bytes(tape), at)) < tape->len) {
        if (capture_scan_record(bytes_from(buf_bytes(tape), at), &scan) == 0) {
            seal(tape->at + at, &scan, ID);
            at += scan.len;
        } else {
            at++;
        }
    }
}

static void make_tape(struct buf *out)
{
    struct capture_header h = { .version = CAPTURE_VERSION, .id = ID };
    struct capture_record r = { .type = CAPTURE_CHECKPOINT };
    struct capture_block b;
    uint8_t payload[FRAMES];

    capture_block_init(&b, ID);
    must(capture_encode_header(&b, &h) == 0);
    must(capture_encode(&b, &r, NULL) == 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        payload[i] = (uint8_t)(0x95 + i);
        r = (struct capture_record){ .type = CAPTURE_RAW, .connection = i };
        r.u.raw.bytes = bytes_make(payload, i);
        must(capture_encode(&b, &r, NULL) == 0);
        r.type = CAPTURE_CHECKPOINT;
        must(i % 8 != 7 || capture_encode(&b, &r, NULL) == 0);
    }
    put(out, buf_bytes(&b.bytes));
    capture_block_deinit(&b);
}

/* Each edit is a place, a kind and a value: change a byte, remove or double some. */
static void damage(struct buf *tape, struct bytes edits)
{
    for (; edits.len >= EDIT_LEN && tape->len > 0;
         edits = bytes_from(edits, EDIT_LEN)) {
        size_t at = (size_t)(edits.at[0] << 8 | edits.at[1]) % tape->len;
        size_t len = edits.at[3] < tape->len - at ? edits.at[3] : tape->len - at;
        struct buf tail = { 0 };

        if (edits.at[2] % 3 == 0) {
            tape->at[at] ^= edits.at[3];
            continue;
        }
        put(&tail, bytes_from(buf_bytes(tape), edits.at[2] % 3 == 1 ? at + len : at));
        tape->len = edits.at[2] % 3 == 1 ? at : at + len;
        put(tape, buf_bytes(&tail));
        buf_deinit(&tail);
    }
}

/* ---- reading them ---- */

/* Encoded again, a record may be shorter (fields of later versions are gone), but then
 * it stays as it is. */
static void encode_again(struct capture_decoder *d, const struct capture_record *r,
                         struct buf *said)
{
    struct capture_block first, second;
    struct capture_record again;
    size_t used;

    capture_block_init(&first, ID);
    capture_block_init(&second, ID);
    if (capture_encode(&first, r, NULL) == 0) {
        must(capture_decode(d, ID, buf_bytes(&first.bytes), &used, &again) == 0);
        must(used == first.len);
        must(capture_encode(&second, &again, NULL) == 0);
        same(&first.bytes, &second.bytes);
        put(said, buf_bytes(&first.bytes));
    }
    capture_block_deinit(&first);
    capture_block_deinit(&second);
}

/* A record that was read from a tape with damage is one of the sound tape's. */
static void must_be_on(const struct buf *sound, struct bytes record)
{
    struct capture_scan scan;
    size_t at = 0;

    must(capture_scan_header(buf_bytes(sound), &scan) == 0);
    do {
        at += scan.len;
        must(at < sound->len);
        must(capture_scan_record(bytes_from(buf_bytes(sound), at), &scan) == 0);
    } while (!bytes_equal(bytes_make(sound->at + at, scan.len), record));
}

struct reading {
    struct capture_decoder *decoder;
    struct buf said;     /* everything */
    struct buf records;  /* bytes of all but checkpoints and gaps */
    struct buf repaired; /* what repairing made of it */
    bool damaged;
    bool opened;
};

static void note(struct reading *r, const struct capture_item *i, uint64_t *at,
                 const struct buf *sound)
{
    uint64_t place[3] = { (uint64_t)i->event, i->offset, i->len };

    put(&r->said, bytes_make(place, sizeof(place)));
    r->damaged |= i->event != CAPTURE_EVENT_RECORD && i->len > 0;
    if (i->event != CAPTURE_EVENT_MISSING) {
        must(*at == UINT64_MAX || i->offset == *at);
        *at = i->offset + i->len;
    }
    if (i->event != CAPTURE_EVENT_RECORD) {
        return;
    }
    must(i->bytes.len == i->len);
    encode_again(r->decoder, &i->record, &r->said);
    if (i->record.type != CAPTURE_CHECKPOINT && i->record.type != CAPTURE_GAP) {
        put(&r->records, i->bytes);
    }
    if (sound != NULL) {
        must_be_on(sound, i->bytes);
    }
}

static void read_tape(struct bytes tape, size_t chunk, const struct buf *sound,
                      struct reading *out)
{
    struct pieces p = { tape, chunk };
    struct capture_source source = { &p, give, size_of };
    struct capture_sink sink = { &out->repaired, take, sync_nothing, NULL };
    struct capture_item i = { .event = CAPTURE_EVENT_RECORD };
    struct capture_repair_totals totals;
    struct capture_repair *repair;
    struct capture_reader *reader;
    uint64_t at = UINT64_MAX;

    *out = (struct reading){ 0 };
    if (capture_reader_new(&source, &reader, NULL) < 0) {
        return;
    }
    out->opened = true;
    out->decoder = capture_decoder_new();
    must(capture_repair_new(reader, &sink, &repair) == 0);
    while (i.event != CAPTURE_EVENT_END) {
        must(capture_reader_next(reader, &i) == 0);
        note(out, &i, &at, sound);
        must(capture_repair_put(repair, &i) == 0);
    }
    must(at == tape.len);
    must(capture_repair_finish(repair, &totals) == 0);
    capture_repair_free(repair);
    capture_reader_free(reader);
}

static void free_reading(struct reading *r)
{
    capture_decoder_free(r->decoder);
    buf_deinit(&r->said);
    buf_deinit(&r->records);
    buf_deinit(&r->repaired);
}

static void check(const struct buf *tape, const struct buf *sound)
{
    struct reading whole, parts, again = { 0 };

    read_tape(buf_bytes(tape), SIZE_MAX, sound, &whole);
    read_tape(buf_bytes(tape), 1 + tape->len % 61, sound, &parts);
    must(whole.opened == parts.opened);
    same(&whole.said, &parts.said);
    same(&whole.repaired, &parts.repaired);
    if (whole.opened) {
        read_tape(buf_bytes(&whole.repaired), SIZE_MAX, NULL, &again);
        must(again.opened && !again.damaged);
        same(&whole.records, &again.records);
        same(&whole.repaired, &again.repaired);
    }
    free_reading(&whole);
    free_reading(&parts);
    free_reading(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct buf tape = { 0 }, sound = { 0 };
    struct bytes rest;

    if (len == 0) {
        return 0;
    }
    rest = bytes_make(data + 1, len - 1);
    if (data[0] % 3 == 2) {
        make_tape(&sound);
        put(&tape, buf_bytes(&sound));
        damage(&tape, rest);
        check(&tape, &sound);
    } else {
        put(&tape, rest);
        if (data[0] % 3 == 1) {
            seal_all(&tape);
        }
        check(&tape, NULL);
    }
    buf_deinit(&tape);
    buf_deinit(&sound);
    return 0;
}
