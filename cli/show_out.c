#include "cli/show_out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { FLUSH_AT = 64 * 1024, SPARE_MAX = 1024 * 1024 };

void show_out_deinit(struct show_out *o)
{
    buf_deinit(&o->bytes);
}

void show_out_note(struct show_out *o, int r)
{
    if (r < 0 && o->error == 0) {
        o->error = r;
    }
}

void show_out_put(struct show_out *o, struct bytes in)
{
    show_out_note(o, buf_put(&o->bytes, in));
}

void show_out_text(struct show_out *o, const char *text)
{
    show_out_put(o, bytes_of(text));
}

void show_out_format(struct show_out *o, const char *format, ...)
{
    char words[256];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (len > 0) {
        size_t kept = (size_t)len < sizeof(words) ? (size_t)len : sizeof(words) - 1;

        show_out_put(o, bytes_make(words, kept));
    }
}

void show_out_spaces(struct show_out *o, unsigned count)
{
    while (count-- > 0) {
        show_out_note(o, buf_put_byte(&o->bytes, ' '));
    }
}

int show_out_flush(struct show_out *o)
{
    size_t at = 0;

    while (o->error == 0 && at < o->bytes.len) {
        ssize_t done = write(o->fd, o->bytes.at + at, o->bytes.len - at);

        if (done >= 0) {
            at += (size_t)done;
        } else if (errno != EINTR) {
            o->error = -errno;
        }
    }
    buf_clear(&o->bytes);
    if (o->bytes.cap > SPARE_MAX) {
        buf_deinit(&o->bytes);
    }
    return o->error;
}

int show_out_status(struct show_out *o)
{
    return o->bytes.len >= FLUSH_AT ? show_out_flush(o) : o->error;
}
