/*
 * A stream of frames, read whole and in pieces: the same headers, payloads and faults,
 * which are also those of each whole frame judged at once; and what was read, encoded
 * again, is the input.
 */
#include "tests/fuzz/target.h"
#include "wire/lint.h"
#include "wire/mask.h"

struct reading {
    struct wire_frame_decoder decoder;
    struct wire_lint lint;
    struct wire_lint at_once; /* gets whole frames */
    struct wire_frame frame;
    struct wire_frame sound; /* the last one, if a plain message without a fault */
    size_t payload_at;       /* offset in `said` */
    uint64_t left;           /* payload bytes of `frame` still to come */
    uint32_t faults;
    bool in_frame;
    struct buf said;  /* headers, faults and unmasked payload */
    struct buf bytes; /* as the peer sent them */
};

/* Does a frame begin with the same bytes as the one before it? */
static bool is_alike(const struct wire_frame *a, const struct wire_frame *b)
{
    uint8_t x[WIRE_FRAME_HEADER_MAX], y[WIRE_FRAME_HEADER_MAX];
    size_t len = wire_frame_encode(a, x);

    return wire_frame_encode(b, y) == len && memcmp(x, y, len) == 0;
}

static void judge_at_once(struct reading *r)
{
    struct bytes payload = bytes_from(buf_bytes(&r->said), r->payload_at);

    must(wire_lint_whole(&r->at_once, &r->frame, payload) == r->faults);
    if (r->sound.header_len > 0 && is_alike(&r->sound, &r->frame)) {
        must(wire_lint_plain(&r->frame, payload) == (r->faults == 0));
    }
    r->sound = (struct wire_frame){ 0 };
    if (r->faults == 0 && wire_lint_is_plain(&r->frame)) {
        r->sound = r->frame;
    }
}

static void end_frame(struct reading *r)
{
    if (r->left == 0) {
        judge_at_once(r);
    }
    put(&r->said, bytes_make(&r->faults, sizeof(r->faults)));
    r->in_frame = false;
}

static void begin_frame(struct reading *r)
{
    uint8_t header[WIRE_FRAME_HEADER_MAX];
    size_t len = wire_frame_encode(&r->frame, header);

    must(len == r->frame.header_len);
    put(&r->bytes, bytes_make(header, len));
    put(&r->said, bytes_make(header, len));
    r->faults = wire_lint_frame(&r->lint, &r->frame);
    r->left = r->frame.payload_len;
    r->payload_at = r->said.len;
    r->in_frame = true;
    if (r->left == 0) {
        r->faults |= wire_lint_payload(&r->lint, (struct bytes){ 0 });
        end_frame(r);
    }
}

static size_t take_payload(struct reading *r, struct bytes in)
{
    size_t len = r->left < in.len ? (size_t)r->left : in.len, from = r->said.len;

    put(&r->bytes, bytes_first(in, len));
    put(&r->said, bytes_first(in, len));
    wire_mask(r->frame.mask, r->frame.payload_len - r->left, in.at, r->said.at + from,
              len);
    r->faults |= wire_lint_payload(&r->lint, bytes_from(buf_bytes(&r->said), from));
    r->left -= len;
    if (r->left == 0) {
        end_frame(r);
    }
    return len;
}

static void feed(struct reading *r, struct bytes in)
{
    while (in.len > 0) {
        size_t used;

        if (r->in_frame) {
            used = take_payload(r, in);
        } else if (wire_frame_decode(&r->decoder, in, &used, &r->frame) == 0) {
            begin_frame(r);
        } else {
            must(used == in.len);
        }
        in = bytes_from(in, used);
    }
}

static void read_all(struct reading *r, struct bytes in, uint8_t how, size_t each)
{
    *r = (struct reading){ 0 };
    wire_lint_init(&r->lint, how & 1 ? SERVER : CLIENT, how >> 1 & 0x70);
    r->at_once = r->lint;
    while (in.len > 0) {
        size_t len = each < in.len ? each : in.len;

        feed(r, bytes_first(in, len));
        in = bytes_from(in, len);
    }
    put(&r->bytes, bytes_make(r->decoder.raw, r->decoder.have));
    if (r->in_frame) {
        end_frame(r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct reading whole, split;
    struct bytes in;
    struct buf input = { 0 };

    if (len < 2) {
        return 0;
    }
    in = bytes_make(data + 2, len - 2);
    read_all(&whole, in, data[0], SIZE_MAX);
    read_all(&split, in, data[0], 1 + data[1] % 32);
    same(&whole.said, &split.said);
    put(&input, in);
    same(&whole.bytes, &input);
    same(&split.bytes, &input);
    buf_deinit(&input);
    buf_deinit(&whole.said);
    buf_deinit(&whole.bytes);
    buf_deinit(&split.said);
    buf_deinit(&split.bytes);
    return 0;
}
