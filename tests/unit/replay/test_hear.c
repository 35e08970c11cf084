/* Live bytes as messages: joined, unmasked, inflated, whatever the split. */
#include "replay/hear.h"

#include "base/alloc.h"
#include "base/text.h"
#include "wire/mask.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LIMIT = 4096 };

static const struct wire_deflate_params plain = { .server_max_window_bits = 15,
                                                  .client_max_window_bits = 15 };
static const struct wire_deflate_params coded = { .agreed = true,
                                                  .server_max_window_bits = 15,
                                                  .client_max_window_bits = 15 };

struct heard {
    struct buf lines;
    int fail; /* what the callback returns */
};

static int note(void *owner, uint32_t connection, const struct capture_message *m)
{
    struct heard *h = owner;
    int r = buf_put_format(&h->lines, "op %u #%llu faults %x%s%s ",
                           capture_message_opcode(m), (unsigned long long)m->number,
                           m->faults, m->cut ? " cut" : "", m->over ? " over" : "");

    assert_int_equal(connection, 0);
    r = r == 0 && capture_coding_text(m->coding) != NULL
            ? buf_put_text(&h->lines, capture_coding_text(m->coding))
            : r;
    r = r == 0 ? text_put_escaped(&h->lines, m->payload, 40) : r;
    r = r == 0 ? buf_put_byte(&h->lines, '\n') : r;
    return r == 0 ? h->fail : r;
}

static void put_wire(struct buf *out, uint8_t first, struct bytes payload, bool masked)
{
    struct wire_frame f = { .payload_len = payload.len,
                            .first = first,
                            .form = wire_frame_form(payload.len),
                            .masked = masked,
                            .mask = { 1, 2, 3, 4 } };

    assert_int_equal(buf_reserve(out, WIRE_FRAME_HEADER_MAX + payload.len), 0);
    out->len += wire_frame_encode(&f, out->at + out->len);
    if (masked && payload.len > 0) {
        wire_mask(f.mask, 0, payload.at, out->at + out->len, payload.len);
    } else if (payload.len > 0) {
        memcpy(out->at + out->len, payload.at, payload.len);
    }
    out->len += payload.len;
}

/* Every split in two says the same, and so does every byte by itself. */
static void expect_heard(enum side from, const struct wire_deflate_params *params,
                         struct bytes in, const char *lines)
{
    long before = alloc_live();

    for (size_t at = 0; at <= in.len + 1; at++) {
        struct heard heard = { 0 };
        struct replay_hear h;
        size_t step = at == in.len + 1 ? 1 : in.len;

        assert_int_equal(replay_hear_init(&h, from, params, LIMIT, note, &heard), 0);
        if (at <= in.len) {
            assert_int_equal(replay_hear_feed(&h, bytes_first(in, at), 1), 0);
        }
        for (size_t i = at <= in.len ? at : 0; i < in.len; i += step) {
            size_t len = in.len - i < step ? in.len - i : step;

            assert_int_equal(
                replay_hear_feed(&h, bytes_first(bytes_from(in, i), len), 2), 0);
        }
        assert_int_equal(buf_put_byte(&heard.lines, 0), 0);
        assert_string_equal((const char *)heard.lines.at, lines);
        buf_deinit(&heard.lines);
        replay_hear_deinit(&h);
        assert_int_equal(alloc_live(), before);
    }
}

static void joins_what_comes(void **state)
{
    struct buf in = { 0 };

    (void)state;
    put_wire(&in, WIRE_OP_TEXT, bytes_of("one "), true);
    put_wire(&in, WIRE_FIN | WIRE_OP_PING, bytes_of("?"), true);
    put_wire(&in, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("two"), true);
    put_wire(&in, WIRE_FIN | WIRE_OP_BINARY, bytes_make("\0\1", 2), true);
    put_wire(&in, WIRE_FIN | WIRE_OP_TEXT, bytes_of(""), true);
    put_wire(&in, WIRE_FIN | WIRE_OP_CLOSE, bytes_make("\3\350bye", 5), true);
    expect_heard(CLIENT, &plain, buf_bytes(&in),
                 "op 9 #0 faults 0 ?\n"
                 "op 1 #1 faults 0 one two\n"
                 "op 2 #2 faults 0 \\x00\\x01\n"
                 "op 1 #3 faults 0 \n"
                 "op 8 #0 faults 0 \\x03\\xe8bye\n");
    buf_deinit(&in);
}

static void names_what_is_broken(void **state)
{
    struct buf in = { 0 };

    (void)state;
    put_wire(&in, WIRE_FIN | WIRE_OP_TEXT, bytes_of("bare"), false);
    put_wire(&in, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, bytes_of("rsv"), true);
    put_wire(&in, WIRE_FIN | 3, bytes_of("what"), true);
    expect_heard(CLIENT, &plain, buf_bytes(&in),
                 "op 1 #1 faults 4 bare\n"
                 "op 1 #2 faults 1 rsv\n"
                 "op 3 #0 faults 2 what\n");
    buf_deinit(&in);
}

/* With a window that is kept from message to message. */
static void inflates(void **state)
{
    long before = alloc_live();
    struct wire_deflate *d = wire_deflate_new(15, false);
    struct buf in = { 0 }, payload = { 0 };

    (void)state;
    for (int i = 0; i < 2; i++) {
        buf_clear(&payload);
        assert_int_equal(
            wire_deflate_message(d, bytes_of("the very same words"), &payload), 0);
        put_wire(&in, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, buf_bytes(&payload), false);
    }
    expect_heard(SERVER, &coded, buf_bytes(&in),
                 "op 1 #1 faults 0 the very same words\n"
                 "op 1 #2 faults 0 the very same words\n");
    buf_deinit(&in);
    buf_deinit(&payload);
    wire_deflate_free(d);
    assert_int_equal(alloc_live(), before);
}

static void holds_no_more_than_the_limit(void **state)
{
    struct wire_deflate *d = wire_deflate_new(15, false);
    struct buf in = { 0 }, payload = { 0 };
    static const uint8_t zeros[LIMIT + 1];

    (void)state;
    put_wire(&in, WIRE_FIN | WIRE_OP_BINARY, bytes_make(zeros, LIMIT), false);
    put_wire(&in, WIRE_FIN | WIRE_OP_BINARY, bytes_make(zeros, LIMIT + 1), false);
    assert_int_equal(
        wire_deflate_message(d, bytes_make(zeros, sizeof(zeros)), &payload), 0);
    put_wire(&in, WIRE_FIN | WIRE_RSV1 | WIRE_OP_BINARY, buf_bytes(&payload), false);
    for (size_t i = 0; i < 2; i++) {
        struct heard heard = { 0 };
        struct replay_hear h;
        size_t cut = i * 5000;

        assert_int_equal(replay_hear_init(&h, SERVER, &coded, LIMIT, note, &heard), 0);
        assert_int_equal(replay_hear_feed(&h, bytes_first(buf_bytes(&in), cut), 1), 0);
        assert_int_equal(replay_hear_feed(&h, bytes_from(buf_bytes(&in), cut), 1), 0);
        assert_int_equal(h.rules.held, 0);
        assert_int_equal(buf_put_byte(&heard.lines, 0), 0);
        assert_non_null(strstr((const char *)heard.lines.at, "op 2 #1 faults 0 \\x00"));
        assert_non_null(strstr((const char *)heard.lines.at, "op 2 #2 faults 0 cut"));
        assert_non_null(
            strstr((const char *)heard.lines.at, "op 2 #3 faults 0 cut over"));
        buf_deinit(&heard.lines);
        replay_hear_deinit(&h);
    }
    buf_deinit(&in);
    buf_deinit(&payload);
    wire_deflate_free(d);
}

static void passes_on_what_the_callback_says(void **state)
{
    struct heard heard = { .fail = -ECANCELED };
    struct replay_hear h;
    struct buf in = { 0 };

    (void)state;
    put_wire(&in, WIRE_FIN | WIRE_OP_TEXT, bytes_of("x"), true);
    assert_int_equal(replay_hear_init(&h, CLIENT, &plain, LIMIT, note, &heard), 0);
    assert_int_equal(replay_hear_feed(&h, buf_bytes(&in), 1), -ECANCELED);
    replay_hear_deinit(&h);
    replay_hear_deinit(&h);
    buf_deinit(&heard.lines);
    buf_deinit(&in);
}

static int hear_all(struct bytes in)
{
    struct heard heard = { 0 };
    struct replay_hear h;
    int r = replay_hear_init(&h, CLIENT, &coded, LIMIT, note, &heard);

    for (size_t i = 0; r == 0 && i < in.len; i++) {
        r = replay_hear_feed(&h, bytes_first(bytes_from(in, i), 1), 1);
    }
    replay_hear_deinit(&h);
    buf_deinit(&heard.lines);
    return r;
}

static void survives_every_failed_allocation(void **state)
{
    struct wire_deflate *d = wire_deflate_new(15, true);
    struct buf in = { 0 }, payload = { 0 };
    long before;

    (void)state;
    assert_int_equal(wire_deflate_message(d, bytes_of("words"), &payload), 0);
    put_wire(&in, WIRE_OP_TEXT, bytes_of("one "), true);
    put_wire(&in, WIRE_FIN | WIRE_OP_CONTINUATION, bytes_of("two"), true);
    put_wire(&in, WIRE_FIN | WIRE_RSV1 | WIRE_OP_TEXT, buf_bytes(&payload), true);
    before = alloc_live();
    for (unsigned nth = 0;; nth++) {
        bool hit;
        int r;

        alloc_fail_at(nth);
        r = hear_all(buf_bytes(&in));
        hit = alloc_fail_clear();
        assert_int_equal(alloc_live(), before);
        assert_int_equal(r, hit ? -ENOMEM : 0);
        if (!hit) {
            break;
        }
    }
    buf_deinit(&in);
    buf_deinit(&payload);
    wire_deflate_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_what_comes),
        cmocka_unit_test(names_what_is_broken),
        cmocka_unit_test(inflates),
        cmocka_unit_test(holds_no_more_than_the_limit),
        cmocka_unit_test(passes_on_what_the_callback_says),
        cmocka_unit_test(survives_every_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
