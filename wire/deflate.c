#include "wire/deflate.h"

#include "base/alloc.h"

#include <errno.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
    SCRATCH_LEN = 4096,
    WINDOW_BITS_MAX = 15,
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

struct wire_inflate *wire_inflate_new(bool no_context_takeover)
{
    struct wire_inflate *i = alloc_zero(1, sizeof(*i));

    if (i == NULL) {
        return NULL;
    }
    i->no_context_takeover = no_context_takeover;
    i->z.zalloc = zlib_alloc;
    i->z.zfree = zlib_free;
    if (inflateInit2(&i->z, -WINDOW_BITS_MAX) != Z_OK) {
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
            *ended = in.len == 0;
            r = restart(i);
        }
        if (r != Z_OK || *ended) {
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

/* ---- compression ---- */

struct wire_deflate {
    z_stream z;
    bool no_context_takeover;
};

struct wire_deflate *wire_deflate_new(unsigned window_bits, bool no_context_takeover)
{
    struct wire_deflate *d = alloc_zero(1, sizeof(*d));
    /* zlib makes no raw stream with a window of 256 bytes: without references to
     * earlier bytes, any window will do. */
    bool tiny = window_bits < 9;

    if (d == NULL) {
        return NULL;
    }
    d->no_context_takeover = no_context_takeover;
    d->z.zalloc = zlib_alloc;
    d->z.zfree = zlib_free;
    if (deflateInit2(&d->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                     tiny ? -9 : -(int)window_bits, 8,
                     tiny ? Z_HUFFMAN_ONLY : Z_DEFAULT_STRATEGY) != Z_OK) {
        alloc_free(d);
        return NULL;
    }
    return d;
}

void wire_deflate_free(struct wire_deflate *d)
{
    if (d != NULL) {
        deflateEnd(&d->z);
        alloc_free(d);
    }
}

/* The flush has come out whole when there is room left behind it. */
static int flush(struct wire_deflate *d, struct buf *out)
{
    do {
        int r = buf_reserve(out, SCRATCH_LEN);

        if (r < 0) {
            return r;
        }
        d->z.next_out = out->at + out->len;
        d->z.avail_out =
            (unsigned)(out->cap - out->len < PIECE_MAX ? out->cap - out->len
                                                       : PIECE_MAX);
        deflate(&d->z, Z_SYNC_FLUSH);
        out->len = (size_t)(d->z.next_out - out->at);
    } while (d->z.avail_out == 0 || d->z.avail_in > 0);
    return 0;
}

int wire_deflate_message(struct wire_deflate *d, struct bytes in, struct buf *out)
{
    static const uint8_t tail[4] = { 0, 0, 0xff, 0xff };
    size_t before = out->len;
    int r = 0;

    do {
        size_t piece = in.len < PIECE_MAX ? in.len : PIECE_MAX;

        d->z.next_in = in.at;
        d->z.avail_in = (unsigned)piece;
        r = flush(d, out);
        in = bytes_from(in, piece);
    } while (r == 0 && in.len > 0);
    if (r < 0) {
        out->len = before;
        return r;
    }
    if (out->len - before >= sizeof(tail) &&
        memcmp(out->at + out->len - sizeof(tail), tail, sizeof(tail)) == 0) {
        out->len -= sizeof(tail);
    }
    if (d->no_context_takeover) {
        deflateReset(&d->z);
    }
    return out->len == before ? buf_put_byte(out, 0) : 0;
}
