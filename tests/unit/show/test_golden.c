/*
 * Whole outputs of show, compared with tests/golden. WSTAPE_GOLDEN_WRITE=1 writes them
 * anew: look at the difference before committing it.
 */
#include "base/alloc.h"
#include "base/text.h"
#include "cli/show.h"
#include "cli/show_stats.h"
#include "tests/unit/show/tape.h"
#include "wire/frame.h"
#include "wire/lint.h"
#include "wire/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct golden {
    const char *name; /* file in tests/golden */
    const char *tape;
    struct show_options options;
    unsigned width;
    bool colour, ascii;
};

/* ---- tapes ---- */

static char folder[] = "/tmp/wstape-golden-XXXXXX";

static void path_of(const char *name, char *out, size_t cap)
{
    snprintf(out, cap, "%s/%s", folder, name);
}

static void write_session(void)
{
    char path[128];

    path_of("session.wstape", path, sizeof(path));
    tape_session(path);
}

/* A message whose record is overwritten in the middle, and a torn end. */
static void write_damaged(void)
{
    char path[128];
    struct tape t;
    uint8_t bytes[4096];
    ssize_t len;
    size_t at;
    int fd;

    path_of("damaged.wstape", path, sizeof(path));
    tape_new(&t, path);
    uint32_t c = tape_websocket(&t, "127.0.0.1:50001", "/ws", NULL);
    tape_text(&t, c, CLIENT, "before");
    tape_frame(&t, c, SERVER, WIRE_OP_TEXT, bytes_of("half of "), 0);
    tape_text(&t, c, CLIENT, "damaged");
    tape_frame(&t, c, SERVER, WIRE_FIN, bytes_of("a message"), 0);
    tape_text(&t, c, CLIENT, "after");
    tape_text(&t, c, CLIENT, "torn");
    tape_abandon(&t);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    len = read(fd, bytes, sizeof(bytes));
    assert_true(len > 0);
    at = bytes_find(bytes_make(bytes, (size_t)len), bytes_of("damaged"));
    assert_true(at < (size_t)len);
    assert_int_equal(pwrite(fd, "DAMAGED", 7, (off_t)at), 7);
    assert_int_equal(ftruncate(fd, len - 2), 0);
    close(fd);
}

/* Where the record with `text` in it lies in the tape. */
static struct capture_stretch find_record(const char *path, const char *text)
{
    struct capture_stretch found = { 0 };
    struct capture_source source;
    struct capture_reader *reader;
    struct capture_item item;
    struct err e;

    assert_int_equal(capture_file_open(path, &source, &e), 0);
    assert_int_equal(capture_reader_new(&source, &reader, &e), 0);
    do {
        assert_int_equal(capture_reader_next(reader, &item), 0);
        assert_int_not_equal(item.event, CAPTURE_EVENT_END);
        found = (struct capture_stretch){ item.offset, item.bytes.len };
    } while (bytes_find(item.bytes, bytes_of(text)) == item.bytes.len);
    capture_reader_free(reader);
    capture_file_release(&source);
    return found;
}

/* A whole record is gone, and all that is left is readable. */
static void write_missing(void)
{
    struct capture_stretch gone;
    char path[128];
    struct tape t;
    uint8_t bytes[4096];
    ssize_t len;
    size_t after;
    uint32_t c;
    int fd;

    path_of("missing.wstape", path, sizeof(path));
    tape_new(&t, path);
    c = tape_websocket(&t, "127.0.0.1:50001", "/ws", NULL);
    tape_frame(&t, c, SERVER, WIRE_OP_TEXT, bytes_of("one "), 0);
    tape_frame(&t, c, SERVER, 0, bytes_of("gone "), 0);
    tape_frame(&t, c, SERVER, WIRE_FIN, bytes_of("three"), 0);
    tape_text(&t, c, CLIENT, "single");
    tape_at(&t, 5000); /* time for a checkpoint */
    tape_frame(&t, c, SERVER, WIRE_OP_TEXT, bytes_of("all "), 0);
    tape_frame(&t, c, SERVER, WIRE_FIN, bytes_of("well"), 0);
    tape_finish(&t, "SIGINT");
    gone = find_record(path, "gone ");
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    len = read(fd, bytes, sizeof(bytes));
    assert_true(len > 0 && (size_t)len < sizeof(bytes));
    after = (size_t)(gone.offset + gone.len);
    assert_int_equal(pwrite(fd, bytes + after, (size_t)len - after, (off_t)gone.offset),
                     (size_t)len - after);
    assert_int_equal(ftruncate(fd, len - (off_t)gone.len), 0);
    close(fd);
}

static void write_faulty(void)
{
    char path[128];

    path_of("faulty.wstape", path, sizeof(path));
    tape_faulty(path);
}

static void write_empty(void)
{
    char path[128];
    struct tape t;

    path_of("empty.wstape", path, sizeof(path));
    tape_new(&t, path);
    tape_finish(&t, "");
}

/* ---- running show ---- */

static int run(const struct golden *g, int fd)
{
    struct show s = { .out.fd = fd, .options = g->options };
    const struct show_view *view = g->options.json   ? &show_json_view
                                   : g->options.http ? &show_text_http_view
                                                     : &show_text_view;
    struct capture_source source;
    char path[128];
    struct err e;
    int status;

    path_of(g->tape, path, sizeof(path));
    s.options.path = g->tape;
    if (s.options.max_message == 0) {
        s.options.max_message = 1 << 20;
    }
    s.style = (struct show_style){ g->colour, !g->ascii, g->width };
    if (s.options.stats) {
        s.stats = show_stats_new();
        assert_non_null(s.stats);
    }
    show_line_init(&s.line, &s.out, &s.style);
    assert_int_equal(capture_file_open(path, &source, &e), 0);
    status = show_run(&s, view, &source, &e);
    capture_file_release(&source);
    show_line_deinit(&s.line);
    show_out_deinit(&s.out);
    capture_overview_deinit(&s.overview);
    show_stats_free(s.stats);
    return status;
}

/* What show prints, with a NUL behind it. */
static void output_of(const struct golden *g, struct buf *out)
{
    char path[128];
    int fd, status;
    ssize_t len;

    path_of("out", path, sizeof(path));
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    status = run(g, fd);
    assert_int_equal(status, CLI_OK);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    do {
        assert_int_equal(buf_reserve(out, 4096), 0);
        len = read(fd, out->at + out->len, 4096);
        assert_true(len >= 0);
        out->len += (size_t)len;
    } while (len > 0);
    assert_int_equal(buf_put_byte(out, 0), 0);
    close(fd);
    unlink(path);
}

static void read_golden(const char *name, struct buf *out)
{
    char path[512];
    size_t len;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", GOLDEN_FOLDER, name);
    f = fopen(path, "r");
    assert_non_null(f);
    do {
        assert_int_equal(buf_reserve(out, 4096), 0);
        len = fread(out->at + out->len, 1, 4096, f);
        out->len += len;
    } while (len > 0);
    assert_int_equal(buf_put_byte(out, 0), 0);
    fclose(f);
}

static void write_golden(const char *name, const struct buf *text)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", GOLDEN_FOLDER, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text->at, 1, text->len - 1, f), text->len - 1);
    assert_int_equal(fclose(f), 0);
}

/* Nothing of a tape reaches a terminal raw: printable UTF-8 and line ends only, and the
 * colours, which are ours. */
static void assert_safe(const struct golden *g, const struct buf *text)
{
    struct wire_utf8 u = { 0 };

    assert_true(wire_utf8_check(&u, buf_bytes(text)));
    for (size_t i = 0; i + 1 < text->len; i++) {
        uint8_t byte = text->at[i];
        bool c1 = byte == 0xc2 && text->at[i + 1] < 0xa0;

        assert_true(byte >= 0x20 || byte == '\n' || (g->colour && byte == 0x1b));
        assert_true(byte != 0x7f && !c1);
        assert_true(!g->ascii || byte < 0x80);
    }
    assert_int_equal(bytes_find(buf_bytes(text), bytes_of("\u202e")), text->len);
}

static void compare(void **state)
{
    const struct golden *g = *state;
    struct buf have = { 0 }, want = { 0 };

    output_of(g, &have);
    assert_safe(g, &have);
    if (getenv("WSTAPE_GOLDEN_WRITE") != NULL) {
        write_golden(g->name, &have);
    }
    read_golden(g->name, &want);
    assert_string_equal((const char *)have.at, (const char *)want.at);
    buf_deinit(&have);
    buf_deinit(&want);
    assert_int_equal(alloc_live(), 0);
}

/* No line is wider than the terminal, but for HTTP in full. Our outputs here have no
 * wide characters, so a column is a byte that does not continue one. */
static void fits(struct golden *g)
{
    for (g->width = 80; g->width <= 160; g->width += 40) {
        struct buf have = { 0 };
        size_t columns = 0;

        output_of(g, &have);
        for (size_t i = 0; i < have.len; i++) {
            columns = have.at[i] == '\n' ? 0 : columns + ((have.at[i] & 0xc0) != 0x80);
            assert_true(columns <= g->width);
        }
        buf_deinit(&have);
    }
}

static void fits_the_terminal(void **state)
{
    struct golden g = { .tape = "session.wstape" };

    (void)state;
    fits(&g);
    g.tape = "faulty.wstape";
    fits(&g);
}

static void a_reader_that_goes_away_is_no_trouble(void **state)
{
    struct golden g = { .tape = "session.wstape" };
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(run(&g, ends[1]), CLI_OK);
    close(ends[1]);
    assert_int_equal(alloc_live(), 0);
}

static void a_full_disk_is(void **state)
{
    struct golden g = { .tape = "session.wstape" };
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(run(&g, fd), CLI_FAILED);
    close(fd);
    assert_int_equal(alloc_live(), 0);
}

/* ---- the cases ---- */

static struct golden goldens[] = {
    { .name = "session.txt", .tape = "session.wstape" },
    { .name = "session-80.txt", .tape = "session.wstape", .width = 80 },
    { .name = "session-colour.txt",
      .tape = "session.wstape",
      .width = 120,
      .colour = true },
    { .name = "session-ascii.txt", .tape = "session.wstape", .ascii = true },
    { .name = "session-frames.txt",
      .tape = "session.wstape",
      .options = { .frames = true,
                   .connections = { .at = { { 1, 1 }, { 3, 3 } }, .count = 2 } } },
    { .name = "session-http.txt",
      .tape = "session.wstape",
      .options = { .http = true, .connections = { .at = { { 4, 5 } }, .count = 1 } } },
    { .name = "session-stats.txt",
      .tape = "session.wstape",
      .options = { .stats = true } },
    { .name = "session.json", .tape = "session.wstape", .options = { .json = true } },
    { .name = "session-frames.json",
      .tape = "session.wstape",
      .options = { .json = true,
                   .frames = true,
                   .connections = { .at = { { 1, 2 } }, .count = 1 } } },
    { .name = "session-stats.json",
      .tape = "session.wstape",
      .options = { .json = true, .stats = true } },
    { .name = "session-small.json",
      .tape = "session.wstape",
      .options = { .json = true,
                   .max_message = 10,
                   .connections = { .at = { { 1, 1 } }, .count = 1 } } },
    { .name = "session-follow.txt",
      .tape = "session.wstape",
      .options = { .follow = true,
                   .connections = { .at = { { 1, 1 } }, .count = 1 } } },
    { .name = "damaged.txt", .tape = "damaged.wstape" },
    { .name = "damaged.json", .tape = "damaged.wstape", .options = { .json = true } },
    { .name = "missing.txt", .tape = "missing.wstape" },
    { .name = "empty.txt", .tape = "empty.wstape" },
    { .name = "faulty.txt", .tape = "faulty.wstape" },
    { .name = "faulty-100.txt", .tape = "faulty.wstape", .width = 100, .colour = true },
    { .name = "faulty-ascii.txt",
      .tape = "faulty.wstape",
      .ascii = true,
      .options = { .connections = { .at = { { 1, 1 } }, .count = 1 } } },
    { .name = "faulty-frames.txt",
      .tape = "faulty.wstape",
      .options = { .frames = true,
                   .connections = { .at = { { 2, 2 } }, .count = 1 } } },
    { .name = "faulty-stats.txt",
      .tape = "faulty.wstape",
      .options = { .stats = true, .connections = { .at = { { 3, 3 } }, .count = 1 } } },
    { .name = "faulty.json", .tape = "faulty.wstape", .options = { .json = true } },
    { .name = "faulty-frames.json",
      .tape = "faulty.wstape",
      .options = { .json = true,
                   .frames = true,
                   .connections = { .at = { { 2, 2 } }, .count = 1 } } },
    { .name = "faulty-follow.json",
      .tape = "faulty.wstape",
      .options = { .json = true,
                   .follow = true,
                   .connections = { .at = { { 2, 2 } }, .count = 1 } } },
};

enum { GOLDENS = sizeof(goldens) / sizeof(goldens[0]) };

static int setup(void **state)
{
    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGPIPE, SIG_IGN);
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    write_session();
    write_damaged();
    write_missing();
    write_empty();
    write_faulty();
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = { "session.wstape", "damaged.wstape",
                                         "missing.wstape", "empty.wstape",
                                         "faulty.wstape" };
    char path[128];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        path_of(names[i], path, sizeof(path));
        unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    struct CMUnitTest tests[GOLDENS + 3] = {
        cmocka_unit_test(fits_the_terminal),
        cmocka_unit_test(a_reader_that_goes_away_is_no_trouble),
        cmocka_unit_test(a_full_disk_is),
    };

    for (size_t i = 0; i < GOLDENS; i++) {
        tests[3 + i] = (struct CMUnitTest){ .name = goldens[i].name,
                                            .test_func = compare,
                                            .initial_state = &goldens[i] };
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
