/*
 * Chunked bodies: whole and in pieces they give the same content, end and fault; what
 * the strict reading takes, the lenient one understands alike; what is made of chunks
 * comes back out of them.
 */
#include "tests/fuzz/target.h"
#include "wire/http.h"
#include "wire/http_chunked.h"

struct outcome {
    struct buf content;
    size_t used;
    enum wire_chunked_result result;
    const char *why;
};

static struct outcome decode(struct bytes in, size_t each, bool is_lenient)
{
    struct wire_chunked c = { .is_lenient = is_lenient };
    struct outcome o = { .result = WIRE_CHUNKED_MORE };
    struct bytes content;
    size_t used;

    while (o.used < in.len && o.result == WIRE_CHUNKED_MORE) {
        struct bytes piece = bytes_from(in, o.used);

        piece.len = piece.len < each ? piece.len : each;
        o.result = wire_chunked_next(&c, piece, &used, &content, &o.why);
        must(used <= piece.len && content.len <= used);
        put(&o.content, content);
        o.used += used;
    }
    return o;
}

static void agree(const struct outcome *a, const struct outcome *b)
{
    same(&a->content, &b->content);
    must(a->used == b->used && a->result == b->result && a->why == b->why);
}

static void check_splits(struct bytes in, size_t each)
{
    struct outcome strict = decode(in, SIZE_MAX, false);
    struct outcome strict_split = decode(in, each, false);
    struct outcome lenient = decode(in, SIZE_MAX, true);
    struct outcome lenient_split = decode(in, each, true);
    struct buf whole = { 0 };
    int r = wire_http_dechunk(in, &whole);

    agree(&strict, &strict_split);
    agree(&lenient, &lenient_split);
    same(&whole, &lenient.content);
    must((r == 0) == (lenient.result == WIRE_CHUNKED_END && lenient.used == in.len));
    if (strict.result == WIRE_CHUNKED_END) {
        agree(&strict, &lenient);
    }
    buf_deinit(&strict.content);
    buf_deinit(&strict_split.content);
    buf_deinit(&lenient.content);
    buf_deinit(&lenient_split.content);
    buf_deinit(&whole);
}

static void check_round_trip(struct bytes in, size_t each)
{
    struct buf wire = { 0 }, out = { 0 };
    struct outcome strict;

    for (struct bytes rest = in; rest.len > 0;) {
        struct bytes chunk = bytes_first(rest, each < rest.len ? each : rest.len);

        must(buf_put_format(&wire, "%zx\r\n", chunk.len) == 0);
        put(&wire, chunk);
        put(&wire, bytes_of("\r\n"));
        rest = bytes_from(rest, chunk.len);
    }
    put(&wire, bytes_of("0\r\n\r\n"));
    must(wire_http_dechunk(buf_bytes(&wire), &out) == 0);
    must(bytes_equal(buf_bytes(&out), in));
    strict = decode(buf_bytes(&wire), each + 1, false);
    must(strict.result == WIRE_CHUNKED_END && strict.used == wire.len);
    same(&strict.content, &out);
    buf_deinit(&strict.content);
    buf_deinit(&wire);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > 0) {
        struct bytes in = bytes_make(data + 1, len - 1);

        check_splits(in, 1 + data[0] % 32);
        check_round_trip(in, 1 + data[0] % 32);
    }
    return 0;
}
