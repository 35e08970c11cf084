#include "base/alloc.h"
#include "captures/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of the test's own, and a name in it. */
struct place {
    char folder[64];
    char file[96];
};

static int make_place(void **state)
{
    struct place *p = alloc_zero(1, sizeof(*p));

    snprintf(p->folder, sizeof(p->folder), "/tmp/wstape-test-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->file, sizeof(p->file), "%s/tape", p->folder);
    *state = p;
    return 0;
}

static int remove_place(void **state)
{
    struct place *p = *state;

    unlink(p->file);
    assert_int_equal(rmdir(p->folder), 0);
    alloc_free(p);
    return 0;
}

static int write_text(struct capture_sink *s, const char *text, size_t *done)
{
    struct iovec iov = { NULL, strlen(text) };

    memcpy(&iov.iov_base, &text, sizeof(text)); /* it is only read */
    return s->write(s->object, &iov, 1, done);
}

static void put_text(struct capture_sink *s, const char *text)
{
    size_t done;

    assert_int_equal(write_text(s, text, &done), 0);
    assert_int_equal(done, strlen(text));
}

static void assert_content(const char *path, const char *expected)
{
    struct capture_source s;
    char text[100];
    long n;

    assert_int_equal(capture_file_open(path, &s, NULL), 0);
    assert_int_equal(s.size(s.object), strlen(expected));
    n = s.read(s.object, 0, text, sizeof(text));
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(text, expected, strlen(expected));
    assert_int_equal(s.read(s.object, (uint64_t)n, text, sizeof(text)), 0);
    capture_file_release(&s);
}

static void a_new_tape_is_private(void **state)
{
    struct place *p = *state;
    struct capture_sink s;
    struct stat st;
    mode_t before = umask(0);

    assert_int_equal(capture_file_create(p->file, &s, NULL), 0);
    umask(before);
    assert_int_equal(stat(p->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    put_text(&s, "tape");
    assert_int_equal(s.sync(s.object), 0);
    assert_int_equal(capture_file_close(&s), 0);
    assert_content(p->file, "tape");
}

static void a_tape_that_exists_is_never_written_over(void **state)
{
    struct place *p = *state;
    struct capture_sink s;
    struct stat st;
    struct err e;

    assert_int_equal(capture_file_create(p->file, &s, NULL), 0);
    assert_int_equal(capture_file_close(&s), 0);
    assert_int_equal(chmod(p->file, 0644), 0);
    assert_int_equal(capture_file_create(p->file, &s, NULL),
                     0); /* empty: may be taken */
    assert_int_equal(stat(p->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    put_text(&s, "first");
    assert_int_equal(capture_file_close(&s), 0);
    assert_int_equal(capture_file_create(p->file, &s, &e), -EEXIST);
    assert_non_null(strstr(e.text, p->file));
    assert_non_null(strstr(e.text, "choose another name"));
    assert_content(p->file, "first");
    assert_int_equal(capture_file_create(p->folder, &s, &e), -EISDIR);
    assert_int_equal(capture_file_create("/nowhere/at/all", &s, &e), -ENOENT);
    assert_non_null(strstr(e.text, "/nowhere/at/all"));
}

static void cutting_takes_back_and_writing_goes_on(void **state)
{
    struct place *p = *state;
    struct capture_sink s;

    assert_int_equal(capture_file_create(p->file, &s, NULL), 0);
    put_text(&s, "one two");
    assert_int_equal(s.cut(s.object, 3), 0);
    put_text(&s, ", three");
    assert_int_equal(capture_file_close(&s), 0);
    assert_content(p->file, "one, three");
}

static void many_pieces_are_one_write(void **state)
{
    struct place *p = *state;
    struct capture_sink s;
    char digits[] = "0123456789";
    struct iovec iov[13];
    size_t done;

    for (size_t i = 0; i < 13; i++) {
        iov[i] = (struct iovec){ digits + i % 10, i % 3 };
    }
    assert_int_equal(capture_file_create(p->file, &s, NULL), 0);
    assert_int_equal(s.write(s.object, iov, 13, &done), 0);
    assert_int_equal(done, 12);
    assert_int_equal(capture_file_close(&s), 0);
    assert_content(p->file, "123456789012");
}

/* Run `child` in a process whose stdout is `fd`; its exit status. */
static int in_child(int fd, void (*child)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fd, STDOUT_FILENO);
        child();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(bool right)
{
    if (!right) {
        _exit(1);
    }
}

static void write_and_cut(void)
{
    struct capture_sink s;
    size_t done;

    expect(capture_file_create("-", &s, NULL) == 0);
    expect(write_text(&s, "kept", &done) == 0);
    expect(write_text(&s, "dropped", &done) == 0);
    expect(s.cut(s.object, 4) == 0);
    expect(capture_file_close(&s) == 0);
}

static void what_stdout_held_before_is_kept(void **state)
{
    static const int flags[] = { O_RDWR | O_CREAT, O_RDWR | O_APPEND };
    struct place *p = *state;

    for (size_t i = 0; i < 2; i++) {
        int fd = open(p->file, flags[i], 0600);

        assert_true(fd >= 0);
        if (i == 0) {
            assert_int_equal(write(fd, "before ", 7), 7);
        }
        assert_int_equal(in_child(fd, write_and_cut), 0);
        close(fd);
    }
    assert_content(p->file, "before keptkept");
}

static void write_to_a_pipe(void)
{
    static char much[300000];
    struct capture_sink s;
    size_t done;

    memset(much, 'x', sizeof(much) - 1);
    expect(capture_file_create("-", &s, NULL) == 0);
    expect(write_text(&s, much, &done) == 0);
    expect(done == sizeof(much) - 1);
    expect(s.cut(s.object, 0) == -ESPIPE);
    expect(s.sync(s.object) == 0);
    expect(capture_file_close(&s) == 0);
}

/* Somebody else's O_NONBLOCK on the same pipe: writing waits for the reader. */
static void a_pipe_takes_all_even_when_it_does_not_block(void **state)
{
    int ends[2], status;
    char bytes[4096];
    size_t sum = 0;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        dup2(ends[1], STDOUT_FILENO);
        write_to_a_pipe();
        _exit(0);
    }
    close(ends[1]);
    while ((n = read(ends[0], bytes, sizeof(bytes))) > 0) {
        sum += (size_t)n;
    }
    close(ends[0]);
    assert_int_equal(sum, 299999);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)state;
}

static void a_pipe_without_reader_is_an_error(void **state)
{
    struct capture_sink s;
    size_t done;
    int ends[2], out;

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    out = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(ends[1], STDOUT_FILENO);
    assert_int_equal(capture_file_create("-", &s, NULL), 0);
    dup2(out, STDOUT_FILENO);
    close(out);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(write_text(&s, "x", &done), -EPIPE);
    assert_int_equal(done, 0);
    capture_file_close(&s);
    (void)state;
}

static void a_full_device_is_an_error(void **state)
{
    struct capture_sink s;
    size_t done = 99;

    assert_int_equal(capture_file_create("/dev/full", &s, NULL), 0);
    assert_int_equal(write_text(&s, "x", &done), -ENOSPC);
    assert_int_equal(done, 0);
    assert_int_equal(capture_file_close(&s), 0);
    (void)state;
}

static void write_beyond_the_limit(void)
{
    struct rlimit limit = { 10, 10 };
    struct capture_sink s;
    size_t done = 0;

    signal(SIGXFSZ, SIG_IGN);
    expect(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    expect(capture_file_create("-", &s, NULL) == 0);
    expect(write_text(&s, "0123456789abcdef", &done) == -EFBIG);
    expect(done == 10);
    expect(s.cut(s.object, 0) == 0);
    expect(capture_file_close(&s) == 0);
}

static void a_limit_on_file_size_is_an_error_and_counts_what_got_in(void **state)
{
    struct place *p = *state;
    int fd = open(p->file, O_RDWR | O_CREAT, 0600);

    assert_true(fd >= 0);
    assert_int_equal(in_child(fd, write_beyond_the_limit), 0);
    close(fd);
    assert_content(p->file, "");
}

static void a_pipe_can_be_read_at_any_offset(void **state)
{
    struct place *p = *state;
    struct capture_source s;
    char out[4];
    int status;
    pid_t pid;

    assert_int_equal(mkfifo(p->file, 0600), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(p->file, O_WRONLY);

        expect(write(fd, "01234567", 8) == 8);
        _exit(0);
    }
    assert_int_equal(capture_file_open(p->file, &s, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(s.size(s.object), 8);
    assert_int_equal(s.read(s.object, 5, out, 4), 3);
    assert_memory_equal(out, "567", 3);
    assert_int_equal(s.read(s.object, 0, out, 4), 4);
    assert_memory_equal(out, "0123", 4);
    capture_file_release(&s);
}

static void what_cannot_be_opened_is_said(void **state)
{
    struct place *p = *state;
    struct capture_source s;
    struct err e;

    assert_int_equal(capture_file_open(p->file, &s, &e), -ENOENT);
    assert_non_null(strstr(e.text, p->file));
    assert_int_equal(capture_file_open(p->folder, &s, &e), -EISDIR);
}

static void without_memory_nothing_leaks(void **state)
{
    struct place *p = *state;
    long before = alloc_live();
    struct capture_source source;
    struct capture_sink s;
    int lowest = dup(0);

    close(lowest);
    alloc_fail_at(0);
    assert_int_equal(capture_file_create(p->file, &s, NULL), -ENOMEM);
    assert_true(alloc_fail_clear());
    alloc_fail_at(0);
    assert_int_equal(capture_file_open(p->file, &source, NULL), -ENOMEM);
    assert_true(alloc_fail_clear());
    assert_int_equal(alloc_live(), before);
    assert_int_equal(dup(0), lowest); /* no descriptor was left open */
    close(lowest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_tape_is_private, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_tape_that_exists_is_never_written_over,
                                        make_place, remove_place),
        cmocka_unit_test_setup_teardown(cutting_takes_back_and_writing_goes_on,
                                        make_place, remove_place),
        cmocka_unit_test_setup_teardown(many_pieces_are_one_write, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(what_stdout_held_before_is_kept, make_place,
                                        remove_place),
        cmocka_unit_test(a_pipe_takes_all_even_when_it_does_not_block),
        cmocka_unit_test(a_pipe_without_reader_is_an_error),
        cmocka_unit_test(a_full_device_is_an_error),
        cmocka_unit_test_setup_teardown(
            a_limit_on_file_size_is_an_error_and_counts_what_got_in, make_place,
            remove_place),
        cmocka_unit_test_setup_teardown(a_pipe_can_be_read_at_any_offset, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(what_cannot_be_opened_is_said, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(without_memory_nothing_leaks, make_place,
                                        remove_place),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
