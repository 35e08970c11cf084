#include "cli/show_out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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

void show_out_hold(struct show_out *o, size_t from)
{
    o->holds = true;
    o->held_from = from;
    o->held_at = o->bytes.len;
}

void show_out_amend(struct show_out *o, const char *text)
{
    size_t len = strlen(text);
    uint8_t *at;

    if (o->holds && o->error == 0) {
        show_out_text(o, text); /* makes room */
    }
    if (o->holds && o->error == 0) {
        at = o->bytes.at + o->held_at;
        memmove(at + len, at, o->bytes.len - len - o->held_at);
        memcpy(at, text, len);
    }
    show_out_release(o);
}

void show_out_release(struct show_out *o)
{
    o->holds = false;
    (void)show_out_status(o); /* keeps its error */
}

int show_out_flush(struct show_out *o)
{
    size_t len = o->holds ? o->held_from : o->bytes.len, at = 0;

    while (o->error == 0 && at < len) {
        ssize_t done = write(o->fd, o->bytes.at + at, len - at);

        if (done >= 0) {
            at += (size_t)done;
        } else if (errno != EINTR) {
            o->error = -errno;
        }
    }
    if (o->error != 0) {
        o->holds = false;
        len = o->bytes.len;
    }
    buf_drop(&o->bytes, len);
    o->held_from = 0;
    o->held_at -= o->holds ? len : 0;
    if (o->bytes.len == 0 && o->bytes.cap > SPARE_MAX) {
        buf_deinit(&o->bytes);
    }
    return o->error;
}

int show_out_status(struct show_out *o)
{
    return o->bytes.len >= FLUSH_AT && !o->holds ? show_out_flush(o) : o->error;
}
