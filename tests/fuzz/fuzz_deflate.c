/*
 * permessage-deflate: messages that zlib compressed come back as they were, whatever
 * the window, takeover and block ends; and any bytes at all give the same output with a
 * limit, as far as it goes, and the same next message.
 */
#include "tests/fuzz/target.h"
#include "wire/deflate.h"

#include <zlib.h>

enum { LEN_MAX = 4096 };

/* ---- what zlib made ---- */

static void compress_message(z_stream *z, struct bytes in, bool is_final,
                             struct buf *out)
{
    uint8_t copy[LEN_MAX];

    must(in.len <= sizeof(copy));
    if (in.len > 0) {
        memcpy(copy, in.at, in.len);
    }
    must(buf_reserve(out, deflateBound(z, in.len) + 64) == 0);
    z->next_in = copy;
    z->avail_in = (unsigned)in.len;
    z->next_out = out->at;
    z->avail_out = (unsigned)out->cap;
    must(deflate(z, is_final ? Z_FINISH : Z_SYNC_FLUSH) >= 0 && z->avail_out > 0);
    out->len = out->cap - z->avail_out;
    if (is_final) {
        must(deflateReset(z) == Z_OK && buf_put_byte(out, 0) == 0);
    } else if (out->len >= 4) { /* none: nothing new to flush */
        out->len -= 4;
    }
}

static void check_round_trip(struct bytes in, uint8_t how)
{
    unsigned bits = 9 + how % 7;
    bool no_takeover = (how & 0x80) != 0;
    struct wire_inflate *i = wire_inflate_new(no_takeover);
    z_stream z = { 0 };

    must(i != NULL);
    must(deflateInit2(&z, how % 10, Z_DEFLATED, -(int)bits, 8, Z_DEFAULT_STRATEGY) ==
         Z_OK);
    while (in.len > 0) {
        size_t len = 1 + in.at[0] % in.len;
        struct buf packed = { 0 }, out = { 0 };

        compress_message(&z, bytes_first(in, len), in.at[0] % 5 == 0, &packed);
        must(wire_inflate_message(i, buf_bytes(&packed), SIZE_MAX, &out) == 0);
        must(bytes_equal(buf_bytes(&out), bytes_first(in, len)));
        if (no_takeover) {
            must(deflateReset(&z) == Z_OK);
        }
        in = bytes_from(in, len);
        buf_deinit(&packed);
        buf_deinit(&out);
    }
    deflateEnd(&z);
    wire_inflate_free(i);
}

/* ---- any bytes ---- */

static void compare(struct wire_inflate *free_one, struct wire_inflate *limited,
                    struct bytes in, size_t limit)
{
    struct buf all = { 0 }, some = { 0 };
    int r = wire_inflate_message(free_one, in, SIZE_MAX, &all);
    int l = wire_inflate_message(limited, in, limit, &some);
    size_t kept = all.len < limit ? all.len : limit;

    must(r == 0 || r == WIRE_INFLATE_CORRUPT);
    must(some.len == kept);
    must(bytes_equal(buf_bytes(&some), bytes_first(buf_bytes(&all), kept)));
    must(l == (r == 0 && all.len > limit ? WIRE_INFLATE_LIMIT : r));
    buf_deinit(&all);
    buf_deinit(&some);
}

static void check_any(struct bytes in, uint8_t how, size_t cut)
{
    struct wire_inflate *free_one = wire_inflate_new((how & 0x80) != 0);
    struct wire_inflate *limited = wire_inflate_new((how & 0x80) != 0);

    must(free_one != NULL && limited != NULL);
    cut = cut < in.len ? cut : in.len;
    compare(free_one, limited, bytes_first(in, cut), how);
    compare(free_one, limited, bytes_from(in, cut), SIZE_MAX);
    wire_inflate_free(free_one);
    wire_inflate_free(limited);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len >= 2 && len <= LEN_MAX) {
        struct bytes in = bytes_make(data + 2, len - 2);

        check_round_trip(in, data[0]);
        check_any(in, data[0], data[1]);
    }
    return 0;
}
