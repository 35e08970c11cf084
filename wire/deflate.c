#include "wire/deflate.h"

#include "base/alloc.h"

#include <errno.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
    SCRATCH_LEN = 4096,
    WINDOW_MAX = 32768,
    PIECE_MAX = 1 << 30,
    AT_BLOCK_END = 128, /* in z_stream.data_type, see zlib.h under inflate() */
};

struct wire_inflate {
    z_stream z;
    bool no_context_takeover;
    bool broken; /* a message was corrupt: nothing after it can be read */
};

/* Where the output of one message goes. */
struct sink {
    struct buf *out;
    size_t limit; /* bytes still wanted */
    int verdict;  /* 0, WIRE_INFLATE_LIMIT, or -ENOMEM for a buffer that cannot grow */
};

static void *zlib_alloc(void *opaque, unsigned count, unsigned len)
{
    (void)opaque;
    return len != 0 && count > SIZE_MAX / len ? NULL : alloc_get((size_t)count * len);
}

static void zlib_free(void *opaque, void *at)
{
    (void)opaque;
    alloc_free(at);
}

struct wire_inflate *wire_inflate_new(unsigned window_bits, bool no_context_takeover)
{
    struct wire_inflate *i = alloc_zero(1, sizeof(*i));

    if (i == NULL) {
        return NULL;
    }
    i->no_context_takeover = no_context_takeover;
    i->z.zalloc = zlib_alloc;
    i->z.zfree = zlib_free;
    /* Compressors asked for 8 use 9 in truth, and some versions refuse 8. */
    if (inflateInit2(&i->z, window_bits < 9 ? -9 : -(int)window_bits) != Z_OK) {
        alloc_free(i);
        return NULL;
    }
    return i;
}

void wire_inflate_free(struct wire_inflate *i)
{
    if (i != NULL) {
        inflateEnd(&i->z);
        alloc_free(i);
    }
}

/* Room for output: in the buffer while it is wanted and there is memory, else in
 * `scratch`, where it is lost but keeps the context right. True: it was the buffer. */
static bool make_room(struct wire_inflate *i, struct sink *s, uint8_t *scratch)
{
    size_t room;

    if (s->verdict == 0 && s->limit > 0 && s->out->len == s->out->cap &&
        buf_reserve(s->out, 1) < 0) {
        s->verdict = -ENOMEM;
    }
    if (s->verdict != 0 || s->limit == 0) {
        i->z.next_out = scratch;
        i->z.avail_out = SCRATCH_LEN;
        return false;
    }
    room = s->out->cap - s->out->len;
    room = room < s->limit ? room : s->limit;
    i->z.next_out = s->out->at + s->out->len;
    i->z.avail_out = (unsigned)(room < UINT32_MAX ? room : UINT32_MAX);
    return true;
}

/* One call of inflate. Z_OK also for "nothing more to do". */
static int step(struct wire_inflate *i, struct sink *s)
{
    uint8_t scratch[SCRATCH_LEN];
    bool kept = make_room(i, s, scratch);
    size_t room = i->z.avail_out, made;
    int r = inflate(&i->z, Z_SYNC_FLUSH);

    made = room - i->z.avail_out;
    if (kept) {
        s->out->len += made;
        s->limit -= made;
    } else if (made > 0 && s->verdict == 0) {
        s->verdict = WIRE_INFLATE_LIMIT;
    }
    i->z.next_out = NULL;
    return r == Z_BUF_ERROR ? Z_OK : r;
}

/* After a block with BFINAL the stream starts anew, but what came before can still be
 * referred to (RFC 7692, 7.2.3.4). */
static int restart(struct wire_inflate *i)
{
    unsigned len = WINDOW_MAX;
    uint8_t *window = alloc_get(len);
    int r;

    if (window == NULL) {
        return Z_MEM_ERROR;
    }
    r = inflateGetDictionary(&i->z, window, &len);
    if (r == Z_OK) {
        r = inflateReset(&i->z);
    }
    if (r == Z_OK) {
        r = inflateSetDictionary(&i->z, window, len);
    }
    alloc_free(window);
    return r;
}

/* Inflate all of `in`. `*ended`: its very last byte closed the stream. */
static int feed(struct wire_inflate *i, struct bytes in, struct sink *s, bool *ended)
{
    *ended = false;
    i->z.avail_out = 0;
    while (in.len > 0 || i->z.avail_out == 0) {
        unsigned piece = (unsigned)(in.len < PIECE_MAX ? in.len : PIECE_MAX);
        int r;

        i->z.next_in = in.at;
        i->z.avail_in = piece;
        r = step(i, s);
        in = bytes_from(in, piece - i->z.avail_in);
        if (r == Z_STREAM_END) {
            r = restart(i);
            if (in.len == 0) {
                *ended = true;
                return r;
            }
        }
        if (r != Z_OK) {
            return r;
        }
    }
    return Z_OK;
}

static int inflate_all(struct wire_inflate *i, struct bytes in, struct sink *s)
{
    static const uint8_t tail[] = { 0x00, 0x00, 0xff, 0xff }; /* 7.2.2 */
    bool ended;
    int r = feed(i, in, s, &ended);

    if (r != Z_OK || ended) {
        return r;
    }
    r = feed(i, bytes_make(tail, sizeof(tail)), s, &ended);
    if (r == Z_OK && !ended && (i->z.data_type & AT_BLOCK_END) == 0) {
        return Z_DATA_ERROR; /* cut off inside a block, which has eaten the tail */
    }
    return r;
}

int wire_inflate_message(struct wire_inflate *i, struct bytes in, size_t limit,
                         struct buf *out)
{
    struct sink s = { .out = out, .limit = limit };
    size_t before = out->len, guess = in.len < limit / 4 ? in.len * 4 : limit;
    int r;

    if (i->broken) {
        return WIRE_INFLATE_CORRUPT;
    }
    if (in.len == 0) {
        return 0; /* some send this for "", instead of the one byte of 7.2.3.6 */
    }
    if (i->no_context_takeover) {
        inflateReset(&i->z);
    }
    if (buf_reserve(out, guess) < 0) {
        s.verdict = -ENOMEM;
    }
    r = inflate_all(i, in, &s);
    i->broken = r != Z_OK && !i->no_context_takeover;
    if (r == Z_MEM_ERROR || s.verdict == -ENOMEM) {
        out->len = before;
        return -ENOMEM;
    }
    return r != Z_OK ? WIRE_INFLATE_CORRUPT : s.verdict;
}
