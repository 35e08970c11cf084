/* The parts of show: numbers, lists, lines. */
#include "base/alloc.h"
#include "cli/show.h"
#include "cli/show_series.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- series ---- */

static void fill(struct show_series *s, const uint64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(show_series_add(s, values[i]), 0);
    }
}

static void series_are_exact_while_few(void **state)
{
    static const uint64_t odd[] = { 9, 1, 5 }, even[] = { 4, 1, 2, 9 };
    struct show_series s = { .exact_max = 1000 };
    struct show_series_facts f = show_series_facts(&s);

    (void)state;
    assert_int_equal(f.count, 0);
    fill(&s, odd, 3);
    f = show_series_facts(&s);
    assert_int_equal(f.median, 5);
    assert_int_equal(f.p95, 9);
    assert_int_equal(f.min, 1);
    assert_int_equal(f.max, 9);
    assert_true(f.exact);
    show_series_deinit(&s);
    s = (struct show_series){ .exact_max = 1000 };
    fill(&s, even, 4);
    assert_int_equal(show_series_facts(&s).median, 3);
    show_series_deinit(&s);
    s = (struct show_series){ .exact_max = 1000 };
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_int_equal(show_series_add(&s, 1001 - i), 0);
    }
    f = show_series_facts(&s);
    assert_true(f.exact);
    assert_int_equal(f.p95, 950);
    assert_int_equal(f.median, 500);
    assert_int_equal(s.sum, 500500);
    show_series_deinit(&s);
    assert_int_equal(alloc_live(), 0);
}

static void series_are_close_when_many(void **state)
{
    struct show_series s = { .exact_max = 16 };
    struct show_series_facts f;
    uint64_t value = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        value = value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        assert_int_equal(show_series_add(&s, 1000000 + (value >> 33) % 9000000), 0);
    }
    f = show_series_facts(&s);
    assert_false(f.exact);
    assert_int_equal(f.count, 100000);
    assert_in_range(f.median, 5500000 / 100 * 98, 5500000 / 100 * 102);
    assert_in_range(f.p95, 9550000 / 100 * 98, 9550000 / 100 * 102);
    assert_in_range(f.max, 9990000, 10000000);
    show_series_deinit(&s);
    assert_int_equal(alloc_live(), 0);
}

/* One number, over and over: what the histogram says is off by less than 1 %. */
static void histograms_are_within_one_percent(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 63; shift++) {
        for (uint64_t add = 0; add < 3; add++) {
            uint64_t value = (UINT64_C(1) << shift) + (UINT64_C(1) << shift) / 3 * add;
            struct show_series s = { .exact_max = 1 };
            struct show_series_facts f;

            assert_int_equal(show_series_add(&s, 0), 0);
            assert_int_equal(show_series_add(&s, value), 0);
            assert_int_equal(show_series_add(&s, value), 0);
            assert_int_equal(show_series_add(&s, UINT64_MAX), 0);
            f = show_series_facts(&s);
            assert_false(f.exact);
            assert_in_range(f.median, value - value / 100, value + value / 100);
            assert_int_equal(f.p95 > UINT64_MAX / 100 * 99, true);
            show_series_deinit(&s);
        }
    }
}

/* ---- lists of connections ---- */

static bool holds(const char *text, uint32_t number)
{
    struct show_ranges r = { .count = 0 };
    struct err e;

    assert_int_equal(show_ranges_add(&r, text, &e), 0);
    return show_ranges_hold(&r, number);
}

static void lists_have_a_length(void **state)
{
    struct show_ranges r = { .count = 0 };
    struct err e;

    (void)state;
    for (int i = 0; i < SHOW_RANGES_MAX / 2; i++) {
        assert_int_equal(show_ranges_add(&r, "7,9..", &e), 0);
    }
    assert_int_equal(show_ranges_add(&r, "1", &e), -EINVAL);
    assert_string_equal(
        e.text, "show: --connection: more than 256 numbers and ranges (1..3 is one)");
    assert_int_equal(r.count, SHOW_RANGES_MAX);
}

static void lists_hold_what_they_name(void **state)
{
    struct show_ranges none = { .count = 0 };

    (void)state;
    assert_true(show_ranges_hold(&none, 77));
    assert_true(holds("3", 3));
    assert_false(holds("3", 4));
    assert_true(holds("1,3..5", 4));
    assert_false(holds("1,3..5", 2));
    assert_true(holds("5..", UINT32_MAX));
    assert_false(holds("5..", 4));
    assert_true(holds("..5", 1));
    assert_false(holds("..5", 6));
}

static void bad_lists_are_told(void **state)
{
    static const char *const bad[] = {
        "",           "0",         "a",
        "1,",         ",1",        "5..3",
        "..",         "1...2",     "-1",
        "4294967296", "1\x1b[31m", "111111111111111111111111111111111111111111111111",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct show_ranges r = { .count = 0 };
        struct err e = { .text = "" };

        assert_int_equal(show_ranges_add(&r, bad[i], &e), -EINVAL);
        assert_non_null(strstr(e.text, "--connection"));
        assert_null(strchr(e.text, '\x1b'));
    }
    assert_int_equal(alloc_live(), 0);
}

/* ---- lines ---- */

struct written {
    struct show_out out;
    struct show_style style;
    struct show_line line;
};

static void start(struct written *w, bool utf8, unsigned width)
{
    *w = (struct written){ .out.fd = -1, .style = { false, utf8, width } };
    show_line_init(&w->line, &w->out, &w->style);
}

static void assert_written(struct written *w, const char *want)
{
    assert_int_equal(buf_put_byte(&w->out.bytes, 0), 0);
    assert_string_equal((const char *)w->out.bytes.at, want);
    show_line_deinit(&w->line);
    show_out_deinit(&w->out);
}

static void foreign_text_is_cut_at_columns(void **state)
{
    struct written w;

    (void)state;
    start(&w, true, 0);
    show_line_safe(&w.line, bytes_of("12345"), 5, false);
    assert_int_equal(w.line.column, 5);
    assert_written(&w, "12345");
    start(&w, true, 0);
    show_line_safe(&w.line, bytes_of("123456"), 5, false);
    assert_written(&w, "1234\u2026");
    start(&w, true, 0);
    show_line_safe(&w.line, bytes_of("12345"), 5, true);
    assert_written(&w, "1234\u2026");
    start(&w, true, 0);
    show_line_safe(&w.line, bytes_of("\u65e5\u672c\u8a9e"), 6, false);
    assert_int_equal(w.line.column, 6);
    assert_written(&w, "\u65e5\u672c\u8a9e");
    start(&w, true, 0);
    show_line_safe(&w.line, bytes_of("\u65e5\u672c\u8a9e"), 5, false);
    assert_int_equal(w.line.column, 5);
    assert_written(&w, "\u65e5\u672c\u2026");
    start(&w, true, 0);
    show_line_safe(&w.line, bytes_of("abc"), 0, false);
    assert_written(&w, "");
}

static void other_locales_get_ascii(void **state)
{
    struct written w;

    (void)state;
    start(&w, false, 0);
    show_line_text(&w.line, "\u2192 \u2026");
    show_line_safe(&w.line, bytes_of("gr\u00fc\u00df"), 40, false);
    assert_written(&w, "-> ...gr\\u{fc}\\u{df}");
    start(&w, false, 0);
    show_line_safe(&w.line, bytes_of("\u00fc\u00fc\u00fc"), 10, false);
    assert_written(&w, "\\u{fc}...");
}

static void cells_line_up(void **state)
{
    struct written w;

    (void)state;
    start(&w, true, 20);
    show_line_right(&w.line, 5, "\u2192 1");
    show_line_to(&w.line, 8);
    show_line_text(&w.line, "x");
    assert_int_equal(show_line_room(&w.line), 11);
    show_line_right(&w.line, 5, "late");
    show_line_hex(&w.line, bytes_make("\x00\xff\x10", 3), 5, false);
    assert_written(&w, "  \u2192 1   x late00 f\u2026");
}

static void colour_is_reset(void **state)
{
    struct written w;

    (void)state;
    start(&w, true, 0);
    w.style.colour = true;
    show_line_colour(&w.line, SHOW_BAD);
    show_line_text(&w.line, "x");
    assert_int_equal(show_line_end(&w.line), 0);
    show_line_text(&w.line, "y");
    show_line_colour(&w.line, SHOW_DIM);
    show_line_colour(&w.line, SHOW_BOLD);
    assert_written(&w, "\x1b[31mx\x1b[0m\ny\x1b[2m\x1b[0m\x1b[1m");
}

static void spans_read_well(void **state)
{
    static const struct {
        int64_t ns;
        const char *words;
    } cases[] = {
        { -5, "0 \u00b5s" },      { 999, "0 \u00b5s" },
        { 15000, "15 \u00b5s" },  { 1234567, "1.2 ms" },
        { 12345678, "12 ms" },    { 463000000, "463 ms" },
        { 1234000000, "1.23 s" }, { INT64_C(125300000000), "125 s" },
    };
    char words[32];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        show_put_span(words, sizeof(words), cases[i].ns);
        assert_string_equal(words, cases[i].words);
    }
}

static void close_codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(show_close_name(1000), "normal closure");
    assert_string_equal(show_close_name(1011), "internal error");
    assert_string_equal(show_close_name(1015), "TLS handshake failed");
    assert_null(show_close_name(1004));
    assert_null(show_close_name(1016));
    assert_null(show_close_name(999));
    assert_null(show_close_name(4000));
}

static int setup(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") == NULL ? -1 : 0;
}

/* ---- output that may still change ---- */

/* What was written to `fd` since the last call. */
static void assert_came(int fd, const char *want)
{
    char have[256];
    ssize_t len = read(fd, have, sizeof(have) - 1);

    have[len > 0 ? len : 0] = '\0';
    assert_string_equal(have, want);
}

static void output_to(struct show_out *o, int ends[2])
{
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    *o = (struct show_out){ .fd = ends[1] };
}

static void output_over(struct show_out *o, const int ends[2])
{
    show_out_deinit(o);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(alloc_live(), 0);
}

/* A held line "{a}" behind `o`'s bytes. */
static void hold_line(struct show_out *o)
{
    size_t from = o->bytes.len;

    show_out_text(o, "{a");
    show_out_hold(o, from);
    show_out_text(o, "}\n");
}

static void a_held_line_may_be_amended(void **state)
{
    struct show_out o;
    int ends[2];

    (void)state;
    output_to(&o, ends);
    show_out_text(&o, "before\n");
    hold_line(&o);
    show_out_text(&o, "after\n");
    show_out_amend(&o, ",b");
    show_out_amend(&o, "nothing is held any more");
    assert_int_equal(show_out_flush(&o), 0);
    assert_came(ends[0], "before\n{a,b}\nafter\n");
    output_over(&o, ends);
}

static void a_held_line_waits(void **state)
{
    struct show_out o;
    int ends[2];

    (void)state;
    output_to(&o, ends);
    show_out_text(&o, "before\n");
    hold_line(&o);
    assert_int_equal(show_out_flush(&o), 0);
    assert_came(ends[0], "before\n");
    show_out_text(&o, "after\n");
    assert_int_equal(show_out_flush(&o), 0);
    assert_came(ends[0], "");
    show_out_amend(&o, ",b");
    assert_int_equal(show_out_flush(&o), 0);
    assert_came(ends[0], "{a,b}\nafter\n");
    hold_line(&o);
    show_out_release(&o);
    assert_int_equal(show_out_flush(&o), 0);
    assert_came(ends[0], "{a}\n");
    output_over(&o, ends);
}

/* ---- what was done to a message ---- */

struct hits {
    struct show_hit hit;
    struct capture_message message;
    struct capture_record record;
};

static enum show_hit_part take(struct hits *h, enum capture_moment_kind kind,
                               uint32_t connection, const char *cause)
{
    struct capture_moment m = { .kind = kind, .connection = connection };
    enum show_hit_part part;

    h->record.connection = connection;
    if (kind == CAPTURE_MOMENT_MESSAGE) {
        m.u.message = &h->message;
    } else if (kind == CAPTURE_MOMENT_DELIVERED) {
        m.u.delivered.message = &h->message;
        m.u.delivered.cause = bytes_of(cause);
    } else {
        m.u.record = &h->record;
    }
    assert_int_equal(show_hit_take(&h->hit, &m, &part), 0);
    return part;
}

static enum show_hit_part take_fault(struct hits *h, uint32_t connection,
                                     enum side from, const char *rule)
{
    h->record = (struct capture_record){ .type = CAPTURE_FAULT };
    h->record.u.fault.from = from;
    h->record.u.fault.opcode = 1;
    h->record.u.fault.rule = bytes_of(rule);
    return take(h, CAPTURE_MOMENT_RECORD, connection, "");
}

static void only_what_follows_belongs_to_a_message(void **state)
{
    struct hits h = { .message.from = SERVER };

    (void)state;
    assert_int_equal(take_fault(&h, 1, SERVER, "early"), SHOW_HIT_NONE);
    assert_int_equal(take(&h, CAPTURE_MOMENT_MESSAGE, 1, ""), SHOW_HIT_NONE);
    assert_int_equal(take(&h, CAPTURE_MOMENT_DELIVERED, 1, ""), SHOW_HIT_NONE);
    assert_int_equal(take(&h, CAPTURE_MOMENT_MESSAGE, 1, ""), SHOW_HIT_NONE);
    assert_int_equal(take_fault(&h, 1, SERVER, "first"), SHOW_HIT_ACT);
    assert_int_equal(take_fault(&h, 1, SERVER, "second"), SHOW_HIT_ACT);
    assert_int_equal(take(&h, CAPTURE_MOMENT_DELIVERED, 1, "first"), SHOW_HIT_OUTCOME);
    assert_int_equal(take(&h, CAPTURE_MOMENT_DELIVERED, 1, "first"), SHOW_HIT_OUTCOME);
    assert_int_equal(take(&h, CAPTURE_MOMENT_DELIVERED, 1, "stop"), SHOW_HIT_NONE);
    assert_int_equal(take(&h, CAPTURE_MOMENT_DELIVERED, 1, "first"), SHOW_HIT_NONE);
    assert_int_equal(take(&h, CAPTURE_MOMENT_MESSAGE, 1, ""), SHOW_HIT_NONE);
    assert_int_equal(take_fault(&h, 2, SERVER, "elsewhere"), SHOW_HIT_NONE);
    assert_int_equal(take(&h, CAPTURE_MOMENT_MESSAGE, 1, ""), SHOW_HIT_NONE);
    assert_int_equal(take_fault(&h, 1, CLIENT, "other way"), SHOW_HIT_NONE);
    show_hit_deinit(&h.hit);
    assert_int_equal(alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_line_may_be_amended),
        cmocka_unit_test(a_held_line_waits),
        cmocka_unit_test(only_what_follows_belongs_to_a_message),
        cmocka_unit_test(series_are_exact_while_few),
        cmocka_unit_test(series_are_close_when_many),
        cmocka_unit_test(histograms_are_within_one_percent),
        cmocka_unit_test(lists_have_a_length),
        cmocka_unit_test(lists_hold_what_they_name),
        cmocka_unit_test(bad_lists_are_told),
        cmocka_unit_test(foreign_text_is_cut_at_columns),
        cmocka_unit_test(other_locales_get_ascii),
        cmocka_unit_test(cells_line_up),
        cmocka_unit_test(colour_is_reset),
        cmocka_unit_test(spans_read_well),
        cmocka_unit_test(close_codes_have_names),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
