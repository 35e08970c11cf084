#include "captures/decode.h"

#include "base/alloc.h"
#include "base/crc32c.h"
#include "captures/fields.h"

#include <errno.h>
#include <msgpack.h>

enum {
    COMMON = 4, /* type, connection, time and CRC */
    MASK_LEN = 4,
    ZONE_LEN = 8192, /* holds the objects of every record that wstape writes */
};

struct capture_decoder {
    msgpack_zone zone;
};

struct capture_decoder *capture_decoder_new(void)
{
    struct capture_decoder *d = alloc_get(sizeof(*d));

    if (d != NULL && !msgpack_zone_init(&d->zone, ZONE_LEN)) {
        alloc_free(d);
        d = NULL;
    }
    return d;
}

void capture_decoder_free(struct capture_decoder *d)
{
    if (d != NULL) {
        msgpack_zone_destroy(&d->zone);
        alloc_free(d);
    }
}

/* Strings of the object point into `in`. */
static int unpack(struct capture_decoder *d, struct bytes in, msgpack_object *out)
{
    size_t used = 0;

    msgpack_zone_clear(&d->zone);
    switch (msgpack_unpack((const char *)in.at, in.len, &used, &d->zone, out)) {
    case MSGPACK_UNPACK_SUCCESS:
        return 0;
    case MSGPACK_UNPACK_NOMEM_ERROR:
        return -ENOMEM;
    case MSGPACK_UNPACK_EXTRA_BYTES:
    case MSGPACK_UNPACK_CONTINUE:
    case MSGPACK_UNPACK_PARSE_ERROR:
        break;
    }
    return CAPTURE_DECODE_BAD;
}

static bool crc_is_right(uint32_t seed, struct bytes in,
                         const struct capture_scan *scan)
{
    return crc32c(seed, bytes_first(in, scan->crc_at)) == scan->crc;
}

static bool get_uint(const msgpack_object *o, uint64_t max, uint64_t *out)
{
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > max) {
        return false;
    }
    *out = o->via.u64;
    return true;
}

static bool get_int(const msgpack_object *o, int64_t *out)
{
    if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        *out = o->via.i64;
        return true;
    }
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > INT64_MAX) {
        return false;
    }
    *out = (int64_t)o->via.u64;
    return true;
}

static bool get_u8(const msgpack_object *o, uint64_t max, uint8_t *out)
{
    uint64_t v;

    if (!get_uint(o, max, &v)) {
        return false;
    }
    *out = (uint8_t)v;
    return true;
}

static bool get_u32(const msgpack_object *o, uint32_t *out)
{
    uint64_t v;

    if (!get_uint(o, UINT32_MAX, &v)) {
        return false;
    }
    *out = (uint32_t)v;
    return true;
}

/* A str or a bin, or nil, which is an empty one. */
static bool get_bytes(const msgpack_object *o, struct bytes *out)
{
    if (o->type == MSGPACK_OBJECT_STR) {
        *out = bytes_make(o->via.str.ptr, o->via.str.size);
    } else if (o->type == MSGPACK_OBJECT_BIN) {
        *out = bytes_make(o->via.bin.ptr, o->via.bin.size);
    } else {
        return o->type == MSGPACK_OBJECT_NIL;
    }
    return true;
}

static bool get_bool(const msgpack_object *o, uint8_t *out)
{
    if (o->type != MSGPACK_OBJECT_BOOLEAN) {
        return false;
    }
    *out = o->via.boolean;
    return true;
}

static bool get_side(const msgpack_object *o, enum side *out)
{
    uint64_t v;

    if (!get_uint(o, SERVER, &v)) {
        return false;
    }
    *out = v == SERVER ? SERVER : CLIENT;
    return true;
}

static bool get_end(const msgpack_object *o, enum capture_end *out)
{
    uint64_t v;

    if (!get_uint(o, UINT64_MAX, &v)) {
        return false;
    }
    *out = v >= CAPTURE_END_FIN && v <= CAPTURE_END_FAULT ? (enum capture_end)v
                                                          : CAPTURE_END_ERROR;
    return true;
}

static bool get_form(const msgpack_object *o, uint8_t *out)
{
    return get_u8(o, 64, out) && (*out == 7 || *out == 16 || *out == 64);
}

static bool get_mask(const msgpack_object *o, uint8_t *masked, uint8_t out[MASK_LEN])
{
    struct bytes mask = { 0 };

    if (!get_bytes(o, &mask) || (mask.len != 0 && mask.len != MASK_LEN)) {
        return false;
    }
    if (mask.len == MASK_LEN) {
        memcpy(out, mask.at, MASK_LEN);
        *masked = 1;
    }
    return true;
}

static bool get_tls(const msgpack_object *o, uint8_t *is_tls, struct capture_tls *out)
{
    const msgpack_object *at;

    if (o->type != MSGPACK_OBJECT_ARRAY) {
        return o->type == MSGPACK_OBJECT_NIL;
    }
    if (o->via.array.size < 4) {
        return false;
    }
    at = o->via.array.ptr;
    *is_tls = 1;
    return get_bytes(&at[0], &out->version) && get_bytes(&at[1], &out->cipher) &&
           get_bytes(&at[2], &out->alpn) && get_bytes(&at[3], &out->server_name);
}

static bool get_field(const msgpack_object *o, const struct capture_field *f,
                      struct capture_record *r)
{
    void *at = (char *)r + f->offset;
    void *flag = (char *)r + f->flag;

    switch (f->kind) {
    case CAPTURE_FIELD_U8:
        return get_u8(o, UINT8_MAX, at);
    case CAPTURE_FIELD_U32:
        return get_u32(o, at);
    case CAPTURE_FIELD_U64:
        return get_uint(o, UINT64_MAX, at);
    case CAPTURE_FIELD_BOOL:
        return get_bool(o, at);
    case CAPTURE_FIELD_SIDE:
        return get_side(o, at);
    case CAPTURE_FIELD_END:
        return get_end(o, at);
    case CAPTURE_FIELD_FORM:
        return get_form(o, at);
    case CAPTURE_FIELD_MASK:
        return get_mask(o, flag, at);
    case CAPTURE_FIELD_TLS:
        return get_tls(o, flag, at);
    case CAPTURE_FIELD_TEXT:
    case CAPTURE_FIELD_BIN:
    case CAPTURE_FIELD_MAYBE:
    case CAPTURE_FIELD_PAYLOAD:
        return get_bytes(o, at);
    }
    return false;
}

/* Fields beyond the known ones are a later version's. */
static bool get_record(const msgpack_object *o, const struct capture_fields *fields,
                       struct capture_record *r)
{
    const msgpack_object *at = o->via.array.ptr;

    if (o->via.array.size < COMMON + (uint32_t)fields->count ||
        !get_u32(&at[1], &r->connection) || !get_int(&at[2], &r->time_ns)) {
        return false;
    }
    for (size_t i = 0; i < fields->count; i++) {
        if (!get_field(&at[3 + i], &fields->at[i], r)) {
            return false;
        }
    }
    return r->type != CAPTURE_FRAME ||
           r->u.frame.frame.payload.len <= r->u.frame.frame.payload_len;
}

/* Its CRC aside. */
static int decode_fields(struct capture_decoder *d, struct bytes in,
                         const struct capture_scan *scan, struct capture_record *out)
{
    const struct capture_fields *fields = capture_fields_of(scan->type);
    msgpack_object object;
    int r;

    memset(out, 0, sizeof(*out));
    out->type = (enum capture_type)scan->type;
    if (fields->name == NULL) {
        return 0;
    }
    r = unpack(d, bytes_first(in, scan->len), &object);
    if (r == 0 && !get_record(&object, fields, out)) {
        r = CAPTURE_DECODE_BAD;
    }
    return r;
}

int capture_decode(struct capture_decoder *d, uint32_t id, struct bytes in,
                   size_t *used, struct capture_record *out)
{
    struct capture_record record;
    struct capture_scan scan;
    int r = capture_scan_record(in, &scan);

    if (r == 0 && !crc_is_right(id, in, &scan)) {
        r = CAPTURE_DECODE_BAD;
    }
    if (r == 0) {
        r = decode_fields(d, in, &scan, &record);
    }
    if (r == 0) {
        *used = scan.len;
        *out = record;
    }
    return r;
}

int capture_decode_orphan(struct capture_decoder *d, struct bytes in, uint32_t *id)
{
    struct capture_record record;
    struct capture_scan scan;
    int r = capture_scan_record(in, &scan);

    if (r == 0 && scan.type != CAPTURE_CHECKPOINT) {
        r = CAPTURE_DECODE_BAD;
    }
    if (r == 0) {
        r = decode_fields(d, in, &scan, &record);
    }
    if (r == 0 && !crc_is_right(record.u.checkpoint.id, in, &scan)) {
        r = CAPTURE_DECODE_BAD;
    }
    if (r == 0) {
        *id = record.u.checkpoint.id;
    }
    return r;
}

static bool get_fact(const msgpack_object *key, const msgpack_object *value,
                     struct capture_header *h)
{
    struct bytes name = { 0 };

    if (key->type != MSGPACK_OBJECT_STR || !get_bytes(key, &name)) {
        return true;
    }
    if (bytes_equal(name, bytes_of("version"))) {
        return get_uint(value, UINT64_MAX, &h->version);
    }
    if (bytes_equal(name, bytes_of("id"))) {
        return get_u32(value, &h->id);
    }
    if (bytes_equal(name, bytes_of("created_ns"))) {
        return get_int(value, &h->wall_ns);
    }
    if (bytes_equal(name, bytes_of("origin_ns"))) {
        return get_int(value, &h->origin_ns);
    }
    if (bytes_equal(name, bytes_of("program"))) {
        return get_bytes(value, &h->program);
    }
    if (bytes_equal(name, bytes_of("listen"))) {
        return get_bytes(value, &h->listen);
    }
    if (bytes_equal(name, bytes_of("upstream"))) {
        return get_bytes(value, &h->upstream);
    }
    return !bytes_equal(name, bytes_of("seed")) ||
           get_uint(value, UINT64_MAX, &h->seed);
}

static int get_header(const msgpack_object *o, struct capture_header *out)
{
    struct capture_header h = { 0 };
    bool good = true;

    out->version = 0;
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        good = get_fact(&o->via.map.ptr[i].key, &o->via.map.ptr[i].val, &h) && good;
    }
    if (h.version > CAPTURE_VERSION) {
        out->version = h.version;
    }
    if (!good || h.version != CAPTURE_VERSION) {
        return CAPTURE_DECODE_BAD;
    }
    *out = h;
    return 0;
}

int capture_decode_header(struct capture_decoder *d, struct bytes in, size_t *used,
                          struct capture_header *out)
{
    struct capture_scan scan;
    msgpack_object object;
    int r = capture_scan_header(in, &scan);

    out->version = 0;
    if (r != 0) {
        return r;
    }
    if (!crc_is_right(0, in, &scan)) {
        return CAPTURE_DECODE_BAD;
    }
    r = unpack(d, bytes_first(in, scan.len), &object);
    if (r == 0) {
        r = get_header(&object, out);
    }
    if (r == 0) {
        *used = scan.len;
    }
    return r;
}
