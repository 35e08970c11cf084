#include "captures/encode.h"

#include "base/alloc.h"
#include "captures/fields.h"
#include "wire/utf8.h"

#include <assert.h>
#include <errno.h>
#include <msgpack.h>

enum {
    NUMBER_MAX = 9, /* bytes of a msgpack number, or of the head of anything */
    ROOM = 128,     /* more than a record takes beside the bytes of its texts */
    COMMON = 4,     /* type, connection, time and CRC */
    MASK_LEN = 4,
    CRC_MARK = 0xce, /* head of msgpack's 32-bit integer */
};

static_assert((1 + COMMON + CAPTURE_FIELDS_MAX) * NUMBER_MAX <= ROOM,
              "numbers go in without a look at the room that is left");

/*
 * A record in the making, behind the block's bytes. There is ROOM when it starts, and
 * again after each text: only texts and bytes have to ask. One that gets no memory is
 * left out, which leaves the room as it was, and draft_finish returns the error.
 */
struct draft {
    struct capture_block *block;
    uint8_t *at;           /* where the next byte goes */
    size_t from;           /* offset of the record in the block's bytes */
    struct bytes inserted; /* payload that stands in a slice */
    int error;
};

/* msgpack's callback. Its lengths are constants, so that inlined a number is a store or
 * two. */
static inline int append(void *to, const char *bytes, size_t len)
{
    struct draft *d = to;

    memcpy(d->at, bytes, len);
    d->at += len;
    return 0;
}

static inline msgpack_packer packer(struct draft *d)
{
    return (msgpack_packer){ d, append };
}

/* Bytes before `at` in the block, this draft's among them. */
static size_t offset(const struct draft *d)
{
    return (size_t)(d->at - d->block->bytes.at);
}

/* Nearly always there is room: not worth a call. */
static inline int reserve(struct buf *b, size_t more)
{
    return more <= b->cap - b->len ? 0 : buf_reserve(b, more);
}

/* For `len` bytes, and ROOM behind them. */
static bool make_room(struct draft *d, size_t len)
{
    struct buf *b = &d->block->bytes;

    if (d->error != 0) {
        return false;
    }
    if (len > CAPTURE_RECORD_MAX) {
        d->error = -EMSGSIZE;
        return false;
    }
    b->len = offset(d);
    d->error = reserve(b, len + ROOM);
    d->at = b->at + b->len;
    return d->error == 0;
}

/* False: no memory, and the draft must not be used. */
static bool draft_start(struct draft *d, struct capture_block *b)
{
    *d = (struct draft){ .block = b, .from = b->bytes.len };
    d->error = reserve(&b->bytes, ROOM);
    if (d->error < 0) {
        return false;
    }
    d->at = b->bytes.at + d->from;
    return true;
}

static void put_array(struct draft *d, size_t count)
{
    msgpack_packer pack = packer(d);

    msgpack_pack_array(&pack, count);
}

static void put_map(struct draft *d, size_t count)
{
    msgpack_packer pack = packer(d);

    msgpack_pack_map(&pack, count);
}

static void put_uint(struct draft *d, uint64_t v)
{
    msgpack_packer pack = packer(d);

    msgpack_pack_uint64(&pack, v);
}

static void put_int(struct draft *d, int64_t v)
{
    msgpack_packer pack = packer(d);

    msgpack_pack_int64(&pack, v);
}

static void put_bool(struct draft *d, bool v)
{
    msgpack_packer pack = packer(d);

    v ? msgpack_pack_true(&pack) : msgpack_pack_false(&pack);
}

static void put_nil(struct draft *d)
{
    msgpack_packer pack = packer(d);

    msgpack_pack_nil(&pack);
}

static void put_mask(struct draft *d, const void *mask)
{
    msgpack_packer pack = packer(d);

    msgpack_pack_bin(&pack, MASK_LEN);
    append(d, mask, MASK_LEN);
}

static void put_bytes(struct draft *d, struct bytes b)
{
    if (b.len > 0) {
        memcpy(d->at, b.at, b.len);
        d->at += b.len;
    }
}

static void put_bin(struct draft *d, struct bytes b)
{
    msgpack_packer pack = packer(d);

    if (make_room(d, b.len)) {
        msgpack_pack_bin(&pack, b.len);
        put_bytes(d, b);
    }
}

static void put_maybe(struct draft *d, struct bytes b)
{
    b.len == 0 ? put_nil(d) : put_bin(d, b);
}

/* A msgpack str must be UTF-8, and some words are a peer's (a server name). */
static void put_text(struct draft *d, struct bytes b)
{
    msgpack_packer pack = packer(d);
    struct wire_utf8 utf8 = { 0 };

    if (!wire_utf8_check(&utf8, b) || !wire_utf8_complete(&utf8)) {
        put_bin(d, b);
    } else if (make_room(d, b.len)) {
        msgpack_pack_str(&pack, b.len);
        put_bytes(d, b);
    }
}

static void put_maybe_text(struct draft *d, struct bytes b)
{
    b.len == 0 ? put_nil(d) : put_text(d, b);
}

static void put_tls(struct draft *d, const struct capture_tls *tls)
{
    if (tls == NULL) {
        put_nil(d);
        return;
    }
    put_array(d, 4);
    put_text(d, tls->version);
    put_text(d, tls->cipher);
    put_text(d, tls->alpn);
    put_text(d, tls->server_name);
}

/* Leave a place in the block's bytes for `slice`, which is not copied. */
static int insert(struct draft *d, struct slice slice)
{
    struct capture_block *b = d->block;

    if (b->insert_count == b->insert_cap) {
        size_t cap = b->insert_cap == 0 ? 16 : b->insert_cap * 2;
        void *at = alloc_resize(b->inserts, cap * sizeof(*b->inserts));

        if (at == NULL) {
            return -ENOMEM;
        }
        b->inserts = at;
        b->insert_cap = cap;
    }
    chunk_ref(slice.chunk);
    b->inserts[b->insert_count++] =
        (struct capture_insert){ .at = offset(d), .slice = slice };
    return 0;
}

/* `backing` may be referenced instead of copied; NULL: copy. */
static void put_payload(struct draft *d, struct bytes b, const struct slice *backing)
{
    bool inserts = backing != NULL && b.len >= CAPTURE_INSERT_MIN;
    msgpack_packer pack = packer(d);

    if (!make_room(d, inserts ? 0 : b.len)) {
        return;
    }
    msgpack_pack_bin(&pack, b.len);
    if (inserts) {
        assert(backing->len == b.len);
        d->error = insert(d, *backing);
        d->inserted = d->error == 0 ? b : (struct bytes){ 0 };
    } else {
        put_bytes(d, b);
    }
}

/* A record's last element; CAPTURE_CRC_LEN bytes. */
static inline void put_crc(uint8_t *at, uint32_t crc)
{
    at[0] = CRC_MARK;
    at[1] = (uint8_t)(crc >> 24);
    at[2] = (uint8_t)(crc >> 16);
    at[3] = (uint8_t)(crc >> 8);
    at[4] = (uint8_t)crc;
}

static uint32_t draft_crc(const struct draft *d, uint32_t seed)
{
    const uint8_t *from = d->block->bytes.at + d->from;
    uint32_t crc = crc32c(seed, bytes_make(from, (size_t)(d->at - from)));

    return d->inserted.len > 0 ? crc32c(crc, d->inserted) : crc;
}

static void draft_cancel(struct draft *d)
{
    struct capture_block *b = d->block;

    b->bytes.len = d->from;
    if (d->inserted.len > 0) {
        chunk_unref(b->inserts[--b->insert_count].slice.chunk);
    }
}

/* Bytes in all, or a negative errno and the block as it was. */
static long draft_finish(struct draft *d, uint32_t seed)
{
    size_t len = offset(d) + CAPTURE_CRC_LEN - d->from + d->inserted.len;

    if (d->error == 0 && len > CAPTURE_RECORD_MAX) {
        d->error = -EMSGSIZE;
    }
    if (d->error < 0) {
        draft_cancel(d);
        return d->error;
    }
    put_crc(d->at, draft_crc(d, seed));
    d->at += CAPTURE_CRC_LEN;
    d->block->bytes.len = offset(d);
    d->block->len += len;
    return (long)len;
}

static void put_field(struct draft *d, const struct capture_record *r,
                      const struct capture_field *f, const struct slice *backing)
{
    const void *at = (const char *)r + f->offset;
    const uint8_t *flag = (const uint8_t *)r + f->flag;

    switch (f->kind) {
    case CAPTURE_FIELD_U8:
    case CAPTURE_FIELD_FORM:
        put_uint(d, *(const uint8_t *)at);
        break;
    case CAPTURE_FIELD_U32:
        put_uint(d, *(const uint32_t *)at);
        break;
    case CAPTURE_FIELD_U64:
        put_uint(d, *(const uint64_t *)at);
        break;
    case CAPTURE_FIELD_BOOL:
        put_bool(d, *(const uint8_t *)at != 0);
        break;
    case CAPTURE_FIELD_SIDE:
        put_uint(d, *(const enum side *)at);
        break;
    case CAPTURE_FIELD_END:
        put_uint(d, *(const enum capture_end *)at);
        break;
    case CAPTURE_FIELD_MASK:
        *flag != 0 ? put_mask(d, at) : put_nil(d);
        break;
    case CAPTURE_FIELD_TLS:
        put_tls(d, *flag != 0 ? at : NULL);
        break;
    case CAPTURE_FIELD_TEXT:
        put_maybe_text(d, *(const struct bytes *)at);
        break;
    case CAPTURE_FIELD_BIN:
        put_bin(d, *(const struct bytes *)at);
        break;
    case CAPTURE_FIELD_MAYBE:
        put_maybe(d, *(const struct bytes *)at);
        break;
    case CAPTURE_FIELD_PAYLOAD:
        put_payload(d, *(const struct bytes *)at, backing);
        break;
    }
}

/* As draft_finish. */
static long put_record(struct capture_block *b, const struct capture_record *r,
                       const struct slice *backing)
{
    const struct capture_fields *fields = capture_fields_of(r->type);
    struct draft d;

    if (fields->name == NULL) {
        return -EINVAL;
    }
    if (!draft_start(&d, b)) {
        return d.error;
    }
    put_array(&d, COMMON + (size_t)fields->count);
    put_uint(&d, r->type);
    put_uint(&d, r->connection);
    put_int(&d, r->time_ns);
    for (size_t i = 0; i < fields->count; i++) {
        put_field(&d, r, &fields->at[i], backing);
    }
    return draft_finish(&d, b->id);
}

/* A record of `len` bytes is complete. */
static void count(struct capture_block *b, size_t len)
{
    b->records++;
    capture_tally_add(&b->tally, b->bytes.at + b->bytes.len, len);
}

/* `r` was just put, `from` on. */
static void remember(struct capture_block *b, const struct capture_record *r,
                     size_t from)
{
    const struct capture_frame *f = &r->u.frame.frame;

    b->again.len = 0;
    if (r->type == CAPTURE_FRAME && f->payload.len < CAPTURE_INSERT_MIN) {
        b->again.at = from;
        b->again.len = b->bytes.len - from - f->payload.len - CAPTURE_CRC_LEN;
        b->again.payload_len = f->payload.len;
        b->again.taken = false;
    }
}

static int encode_checkpoint(struct capture_block *b, const struct capture_record *r)
{
    struct capture_record filled = *r;
    long len;

    filled.u.checkpoint.id = b->id;
    filled.u.checkpoint.number = b->tally.number + 1;
    filled.u.checkpoint.records = b->tally.records;
    filled.u.checkpoint.bytes = b->tally.bytes;
    filled.u.checkpoint.crc = b->tally.crc;
    len = put_record(b, &filled, NULL);
    if (len < 0) {
        return (int)len;
    }
    b->records++;
    b->again.len = 0;
    capture_tally_restart(&b->tally, filled.u.checkpoint.number);
    return 0;
}

int capture_encode(struct capture_block *b, const struct capture_record *r,
                   const struct slice *backing)
{
    size_t from = b->bytes.len;
    long len;

    if (r->type == CAPTURE_CHECKPOINT) {
        return encode_checkpoint(b, r);
    }
    len = put_record(b, r, backing);
    if (len < 0) {
        return (int)len;
    }
    count(b, (size_t)len);
    remember(b, r, from);
    return 0;
}

static void take_head(struct capture_block *b)
{
    struct capture_again *a = &b->again;

    assert(a->len > 0 && a->len <= sizeof(a->head));
    memcpy(a->head, b->bytes.at + a->at, a->len);
    a->crc = crc32c(b->id, bytes_make(a->head, a->len));
    a->taken = true;
}

int capture_encode_again(struct capture_block *b, struct bytes payload)
{
    struct capture_again *a = &b->again;
    size_t len = a->len + payload.len + CAPTURE_CRC_LEN;
    int r = reserve(&b->bytes, sizeof(a->head) + len);
    uint8_t *at;

    if (r < 0) {
        return r;
    }
    if (!a->taken) {
        take_head(b);
    }
    assert(payload.len == a->payload_len);
    at = b->bytes.at + b->bytes.len;
    memcpy(at, a->head, sizeof(a->head)); /* all of it: a length known when compiled */
    at += a->len;
    if (payload.len > 0) {
        memcpy(at, payload.at, payload.len);
    }
    put_crc(at + payload.len, crc32c(a->crc, payload));
    b->bytes.len += len;
    b->len += len;
    count(b, len);
    return 0;
}

int capture_encode_copy(struct capture_block *b, struct bytes record)
{
    int r = buf_put(&b->bytes, record);

    if (r == 0) {
        b->len += record.len;
        b->again.len = 0;
        count(b, record.len);
    }
    return r;
}

static void put_legend(struct draft *d)
{
    size_t count = 0;

    for (unsigned type = 1; type <= CAPTURE_SUMMARY; type++) {
        count += capture_fields_of(type)->name != NULL;
    }
    put_text(d, bytes_of("records"));
    put_map(d, count);
    for (unsigned type = 1; type <= CAPTURE_SUMMARY; type++) {
        const struct capture_fields *fields = capture_fields_of(type);
        char number[4];

        if (fields->name == NULL) {
            continue;
        }
        snprintf(number, sizeof(number), "%u", type);
        put_text(d, bytes_of(number));
        put_array(d, COMMON + (size_t)fields->count);
        put_text(d, bytes_of(fields->name));
        put_text(d, bytes_of("connection"));
        put_text(d, bytes_of("time_ns"));
        for (size_t i = 0; i < fields->count; i++) {
            put_text(d, bytes_of(fields->at[i].name));
        }
        put_text(d, bytes_of("crc"));
    }
}

static void put_facts(struct draft *d, const struct capture_header *h)
{
    put_text(d, bytes_of("format"));
    put_text(d, bytes_of("wstape"));
    put_text(d, bytes_of("version"));
    put_uint(d, h->version);
    put_text(d, bytes_of("id"));
    put_uint(d, h->id);
    put_text(d, bytes_of("created_ns"));
    put_int(d, h->wall_ns);
    put_text(d, bytes_of("origin_ns"));
    put_int(d, h->origin_ns);
    put_text(d, bytes_of("program"));
    put_text(d, h->program);
    put_text(d, bytes_of("listen"));
    put_text(d, h->listen);
    put_text(d, bytes_of("upstream"));
    put_text(d, h->upstream);
    put_text(d, bytes_of("seed"));
    put_uint(d, h->seed);
}

int capture_encode_header(struct capture_block *b, const struct capture_header *h)
{
    struct draft d;
    long len;

    if (!draft_start(&d, b)) {
        return d.error;
    }
    put_map(&d, 11);
    put_facts(&d, h);
    put_legend(&d);
    put_text(&d, bytes_of("crc"));
    len = draft_finish(&d, 0);
    return len < 0 ? (int)len : 0;
}
