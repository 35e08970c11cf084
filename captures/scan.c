#include "captures/scan.h"

#include <stdbool.h>

enum {
    DEPTH_MAX = 8,
    ELEMENTS_MAX = 4096, /* in one object, all levels together */
    CRC_MARK = 0xce,     /* head of a 32-bit integer */
    CRC_LEN = 5,
};

/* What the head of one msgpack object says. */
struct item {
    size_t head;     /* bytes of the head */
    uint64_t body;   /* bytes behind it that are no objects */
    uint64_t inside; /* objects behind it */
};

/* Where the walk is. */
struct walk {
    struct bytes in;
    size_t at;
    uint64_t elements;
    unsigned depth;
    uint64_t left[DEPTH_MAX]; /* objects still due, by depth; [0]: of the outermost */
};

static uint64_t big_endian(const uint8_t *at, size_t len)
{
    uint64_t v = 0;

    while (len-- > 0) {
        v = v << 8 | *at++;
    }
    return v;
}

/* Heads from 0xc0 to 0xdf: the shape of what follows each (msgpack's specification). */
/* clang-format off */
static const struct {
    uint8_t size;   /* bytes that say a length or a count */
    uint8_t fixed;  /* body bytes that are always there */
    uint8_t factor; /* objects for each one counted; 0: bytes are counted */
} shapes[32] = {
    [0x04] = { 1, 0, 0 }, [0x05] = { 2, 0, 0 }, [0x06] = { 4, 0, 0 },  /* bin */
    [0x07] = { 1, 1, 0 }, [0x08] = { 2, 1, 0 }, [0x09] = { 4, 1, 0 },  /* ext */
    [0x0a] = { 0, 4, 0 }, [0x0b] = { 0, 8, 0 },                        /* float */
    [0x0c] = { 0, 1, 0 }, [0x0d] = { 0, 2, 0 },                        /* unsigned */
    [0x0e] = { 0, 4, 0 }, [0x0f] = { 0, 8, 0 },
    [0x10] = { 0, 1, 0 }, [0x11] = { 0, 2, 0 },                        /* signed */
    [0x12] = { 0, 4, 0 }, [0x13] = { 0, 8, 0 },
    [0x14] = { 0, 2, 0 }, [0x15] = { 0, 3, 0 }, [0x16] = { 0, 5, 0 },  /* fixext */
    [0x17] = { 0, 9, 0 }, [0x18] = { 0, 17, 0 },
    [0x19] = { 1, 0, 0 }, [0x1a] = { 2, 0, 0 }, [0x1b] = { 4, 0, 0 },  /* str */
    [0x1c] = { 2, 0, 1 }, [0x1d] = { 4, 0, 1 },                        /* array */
    [0x1e] = { 2, 0, 2 }, [0x1f] = { 4, 0, 2 },                        /* map */
};
/* clang-format on */

static int read_sized(struct bytes in, struct item *out)
{
    uint8_t shape = in.at[0] & 0x1fU;
    uint64_t n;

    if (in.at[0] == 0xc1) { /* never used by msgpack */
        return CAPTURE_DECODE_BAD;
    }
    if (in.len <= shapes[shape].size) {
        return CAPTURE_DECODE_MORE;
    }
    n = big_endian(in.at + 1, shapes[shape].size);
    out->head = 1U + shapes[shape].size;
    out->inside = n * shapes[shape].factor;
    out->body = shapes[shape].fixed + (shapes[shape].factor == 0 ? n : 0);
    return 0;
}

static int read_item(struct bytes in, struct item *out)
{
    uint8_t b;

    if (in.len == 0) {
        return CAPTURE_DECODE_MORE;
    }
    b = in.at[0];
    if (b >= 0xc0 && b < 0xe0) {
        return read_sized(in, out);
    }
    *out = (struct item){ .head = 1 };
    if (b >= 0xa0 && b < 0xc0) {
        out->body = b & 0x1fU;
    } else if (b >= 0x90 && b < 0xa0) {
        out->inside = b & 0x0fU;
    } else if (b >= 0x80 && b < 0x90) {
        out->inside = 2 * (b & 0x0fU);
    }
    return 0;
}

static int enter(struct walk *w, uint64_t inside)
{
    w->elements += inside;
    if (w->elements > ELEMENTS_MAX || w->depth + 1 == DEPTH_MAX) {
        return CAPTURE_DECODE_BAD;
    }
    w->left[++w->depth] = inside;
    return 0;
}

static void leave_finished(struct walk *w)
{
    while (w->depth > 0 && w->left[w->depth] == 0) {
        w->depth--;
    }
}

/* Over one object, into it when it has objects inside. */
static int step(struct walk *w)
{
    struct item item;
    uint64_t end;
    int r = read_item(bytes_from(w->in, w->at), &item);

    if (r != 0) {
        return r;
    }
    end = w->at + item.head + item.body;
    if (end + item.inside > CAPTURE_RECORD_MAX) {
        return CAPTURE_DECODE_BAD;
    }
    if (end > w->in.len) {
        return CAPTURE_DECODE_MORE;
    }
    w->at = (size_t)end;
    w->left[w->depth]--;
    r = item.inside > 0 ? enter(w, item.inside) : 0;
    leave_finished(w);
    return r;
}

/* From the first element to the end, which must be a CRC. */
static int walk(struct bytes in, size_t from, uint64_t elements,
                struct capture_scan *out)
{
    struct walk w = {
        .in = in, .at = from, .elements = elements, .left = { elements }
    };

    if (elements > ELEMENTS_MAX) {
        return CAPTURE_DECODE_BAD;
    }
    while (w.left[0] > 0 || w.depth > 0) {
        int r;

        if (w.depth == 0) {
            out->crc_at = w.at;
        }
        r = step(&w);
        if (r != 0) {
            return r;
        }
    }
    if (w.at - out->crc_at != CRC_LEN || in.at[out->crc_at] != CRC_MARK) {
        return CAPTURE_DECODE_BAD;
    }
    out->crc = (uint32_t)big_endian(in.at + out->crc_at + 1, 4);
    out->len = w.at;
    return 0;
}

/* Bytes of the array head at the start of `in` and its count; 0 when it is none. */
static size_t array_head(struct bytes in, uint32_t *count)
{
    if (in.len >= 1 && in.at[0] >= 0x90 && in.at[0] < 0xa0) {
        *count = in.at[0] & 0x0fU;
        return 1;
    }
    if (in.len >= 3 && in.at[0] == 0xdc) {
        *count = (uint32_t)big_endian(in.at + 1, 2);
        return 3;
    }
    return 0;
}

static bool is_integer(uint8_t head)
{
    return head < 0x80 || head >= 0xe0 || (head >= 0xcc && head <= 0xd3);
}

/* Type, connection and CRC at least, and the type a small number. */
static bool may_start(struct bytes in)
{
    uint32_t count = 0;
    size_t head = array_head(in, &count);

    return head > 0 && count >= 4 && in.len >= head + 2 && in.at[head] > 0 &&
           in.at[head] < 0x80 && is_integer(in.at[head + 1]);
}

/* Too short to tell. */
static bool may_be_cut(struct bytes in)
{
    return in.len < 5 && (in.len == 0 || in.at[0] == 0xdc ||
                          (in.len < 3 && in.at[0] >= 0x94 && in.at[0] < 0xa0));
}

int capture_scan_record(struct bytes in, struct capture_scan *out)
{
    struct capture_scan found = { 0 };
    size_t head;
    int r;

    if (!may_start(in)) {
        return may_be_cut(in) ? CAPTURE_DECODE_MORE : CAPTURE_DECODE_BAD;
    }
    head = array_head(in, &found.count);
    found.type = in.at[head];
    r = walk(in, head, found.count, &found);
    if (r == 0) {
        *out = found;
    }
    return r;
}

int capture_scan_header(struct bytes in, struct capture_scan *out)
{
    static const char magic[] = "\xa6"
                                "format\xa6wstape";
    struct bytes begins = bytes_make(magic, sizeof(magic) - 1);
    struct capture_scan found = { 0 };
    struct bytes rest;
    size_t head;
    int r;

    if (in.len == 0) {
        return CAPTURE_DECODE_MORE;
    }
    head = in.at[0] == 0xde ? 3 : 1;
    if (head == 1 && (in.at[0] & 0xf0U) != 0x80) {
        return CAPTURE_DECODE_BAD;
    }
    rest = in.len > head ? bytes_from(in, head) : (struct bytes){ 0 };
    if (rest.len < begins.len) {
        begins.len = rest.len;
    }
    if (!bytes_equal(bytes_first(rest, begins.len), begins)) {
        return CAPTURE_DECODE_BAD;
    }
    if (rest.len == 0) {
        return CAPTURE_DECODE_MORE;
    }
    found.count = head == 1 ? in.at[0] & 0x0fU : (uint32_t)big_endian(in.at + 1, 2);
    r = walk(in, head, 2 * (uint64_t)found.count, &found);
    if (r == 0) {
        *out = found;
    }
    return r;
}

static bool is_candidate(struct bytes in)
{
    uint8_t b = in.at[0];

    return ((b >= 0x94 && b < 0xa0) || b == 0xdc) && (may_start(in) || may_be_cut(in));
}

size_t capture_scan_find(struct bytes in, size_t from)
{
    while (from < in.len && !is_candidate(bytes_from(in, from))) {
        from++;
    }
    return from;
}
