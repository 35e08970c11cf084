#include "captures/file.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_LEN = 1 << 16 };

/* The object of a sink and of a source. */
struct file {
    int fd;
    bool cuttable; /* a regular file */
    uint64_t
        base; /* where in the file the tape begins: stdout may have been appended to */
};

/* -ENOMEM closes `fd`. */
static int make_file(int fd, struct file **out)
{
    struct file *f = alloc_zero(1, sizeof(*f));

    if (f == NULL) {
        close(fd);
        return -ENOMEM;
    }
    f->fd = fd;
    *out = f;
    return 0;
}

enum { PATIENCE_MS = 2000 };

/* Wait until a pipe takes bytes again. A signal means that somebody wants an end of it:
 * then only a little longer. */
static int wait_writable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int n = poll(&p, 1, -1);

    if (n < 0 && errno == EINTR) {
        n = poll(&p, 1, PATIENCE_MS);
        if (n == 0) {
            return -EINTR;
        }
    }
    return n < 0 ? -errno : 0;
}

static int write_some(int fd, const struct iovec *iov, int count, size_t *wrote)
{
    ssize_t n = writev(fd, iov, count);

    *wrote = n > 0 ? (size_t)n : 0;
    if (n > 0 || errno == EINTR) {
        return 0;
    }
    if (n < 0 && errno == EAGAIN) {
        return wait_writable(fd);
    }
    return n == 0 ? -EIO : -errno;
}

static int write_all(void *object, struct iovec *iov, int count, size_t *done)
{
    const struct file *f = object;

    *done = 0;
    while (count > 0) {
        size_t wrote;
        int r = write_some(f->fd, iov, count, &wrote);

        if (r < 0) {
            return r;
        }
        *done += wrote;
        while (count > 0 && wrote >= iov->iov_len) {
            wrote -= iov->iov_len;
            iov++;
            count--;
        }
        if (wrote > 0) {
            iov->iov_base = (char *)iov->iov_base + wrote;
            iov->iov_len -= wrote;
        }
    }
    return 0;
}

/* Pipes and devices have nothing to sync. */
static int sync_data(void *object)
{
    const struct file *f = object;

    return f->cuttable && fdatasync(f->fd) < 0 ? -errno : 0;
}

static int cut(void *object, uint64_t to_len)
{
    const struct file *f = object;
    off_t to = (off_t)(f->base + to_len);

    if (!f->cuttable) {
        return -ESPIPE;
    }
    return ftruncate(f->fd, to) < 0 || lseek(f->fd, to, SEEK_SET) < 0 ? -errno : 0;
}

/* A pipe of our own sharing: it may be non-blocking without others noticing, so that a
 * reader that has stopped cannot make us deaf to signals. -1 when stdout is no pipe. */
static int open_pipe_again(void)
{
    struct stat s;

    if (fstat(STDOUT_FILENO, &s) < 0 || !S_ISFIFO(s.st_mode)) {
        return -1;
    }
    return open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static int open_stdout(int *out, struct err *e)
{
    if (isatty(STDOUT_FILENO)) {
        return err_set(
            e, -EINVAL,
            "stdout is a terminal, and a tape is not text: redirect it, or name "
            "a file with -o");
    }
    *out = open_pipe_again();
    if (*out < 0) {
        *out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    return *out < 0 ? err_set(e, -errno, "stdout: %s", strerror(errno)) : 0;
}

static int refuse(const char *path, int error, struct err *e)
{
    return err_set(e, -error, "cannot write %s: %s", path, strerror(error));
}

/* A file that is there: only an empty one, or one that is no regular file, is taken. */
static int open_existing(const char *path, int *out, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    struct stat s;

    if (fd < 0) {
        return refuse(path, errno, e);
    }
    if (fstat(fd, &s) < 0) {
        int error = errno;

        close(fd);
        return refuse(path, error, e);
    }
    if (S_ISREG(s.st_mode) && s.st_size > 0) {
        close(fd);
        return err_set(e, -EEXIST,
                       "%s exists: choose another name with -o, or remove it", path);
    }
    if (S_ISREG(s.st_mode) && fchmod(fd, 0600) < 0) {
        int error = errno;

        close(fd);
        return refuse(path, error, e);
    }
    *out = fd;
    return 0;
}

static int open_output(const char *path, int *out, struct err *e)
{
    int fd;

    if (strcmp(path, "-") == 0) {
        return open_stdout(out, e);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return open_existing(path, out, e);
    }
    if (fd < 0) {
        return refuse(path, errno, e);
    }
    *out = fd;
    return 0;
}

/* Where writing starts, and whether what was written can be taken back. */
static void look_at(struct file *f)
{
    struct stat s;
    off_t at;

    if (fstat(f->fd, &s) < 0 || !S_ISREG(s.st_mode)) {
        return;
    }
    at =
        (fcntl(f->fd, F_GETFL) & O_APPEND) != 0 ? s.st_size : lseek(f->fd, 0, SEEK_CUR);
    f->cuttable = at >= 0;
    f->base = at >= 0 ? (uint64_t)at : 0;
}

int capture_file_create(const char *path, struct capture_sink *out, struct err *e)
{
    struct file *f;
    int fd = -1, r = open_output(path, &fd, e);

    if (r < 0) {
        return r;
    }
    r = make_file(fd, &f);
    if (r < 0) {
        return refuse(path, -r, e);
    }
    look_at(f);
    *out = (struct capture_sink){
        .object = f, .write = write_all, .sync = sync_data, .cut = cut
    };
    return 0;
}

static int close_file(struct file *f)
{
    int r = 0;

    if (f != NULL) {
        r = close(f->fd) < 0 && errno != EINTR ? -errno : 0;
        alloc_free(f);
    }
    return r;
}

int capture_file_descriptor(const struct capture_sink *s)
{
    const struct file *f = s->object;

    return f->fd;
}

int capture_file_close(struct capture_sink *s)
{
    int r = close_file(s->object);

    s->object = NULL;
    return r;
}

static long read_at(void *object, uint64_t at, void *out, size_t len)
{
    const struct file *f = object;
    ssize_t n;

    do {
        n = pread(f->fd, out, len, (off_t)at);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static uint64_t size_now(void *object)
{
    const struct file *f = object;
    struct stat s;

    return fstat(f->fd, &s) < 0 || s.st_size < 0 ? 0 : (uint64_t)s.st_size;
}

/* A file without a name, gone with its last descriptor. */
static int open_temporary(void)
{
    const char *folder = getenv("TMPDIR");
    char name[4096];
    int fd;

    folder = folder == NULL || *folder == '\0' ? "/tmp" : folder;
    fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) {
        return fd;
    }
    snprintf(name, sizeof(name), "%s/wstape-XXXXXX", folder);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) {
        unlink(name);
    }
    return fd;
}

static int copy_all(int from, int to)
{
    struct file f = { .fd = to };
    char bytes[COPY_LEN];
    ssize_t n;

    while ((n = read(from, bytes, sizeof(bytes))) != 0) {
        struct iovec iov = { bytes, n > 0 ? (size_t)n : 0 };
        size_t done;
        int r = n < 0 && errno != EINTR ? -errno : 0;

        if (r == 0 && n > 0) {
            r = write_all(&f, &iov, 1, &done);
        }
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* What cannot be read at any offset (a pipe) goes into a temporary file first. Closes
 * `fd` and gives the descriptor to read from, or a negative errno. */
static int spool(int fd)
{
    int to = open_temporary();
    int r = to < 0 ? -errno : copy_all(fd, to);

    close(fd);
    if (r < 0 && to >= 0) {
        close(to);
    }
    return r < 0 ? r : to;
}

static int open_input(const char *path)
{
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat s;

    int r;

    if (fd < 0) {
        return -errno;
    }
    r = fstat(fd, &s) < 0 ? -errno : 0;
    if (r == 0 && S_ISDIR(s.st_mode)) {
        r = -EISDIR;
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    return S_ISREG(s.st_mode) ? fd : spool(fd);
}

int capture_file_open(const char *path, struct capture_source *out, struct err *e)
{
    struct file *f;
    int fd = open_input(path);
    int r = fd < 0 ? fd : make_file(fd, &f);

    if (r < 0) {
        return err_set(e, r, "cannot read %s: %s",
                       strcmp(path, "-") == 0 ? "stdin" : path, strerror(-r));
    }
    *out = (struct capture_source){ .object = f, .read = read_at, .size = size_now };
    return 0;
}

void capture_file_release(struct capture_source *s)
{
    if (s != NULL) {
        close_file(s->object);
        s->object = NULL;
    }
}
