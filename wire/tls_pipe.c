#include "wire/tls_internal.h"

#include <string.h>

static int pipe_read(BIO *b, char *out, size_t cap, size_t *got)
{
    struct wire_tls *t = BIO_get_data(b);
    size_t n = t->in.len < cap ? t->in.len : cap;

    BIO_clear_retry_flags(b);
    if (n == 0) {
        BIO_set_retry_read(b);
        return 0;
    }
    memcpy(out, t->in.at, n);
    t->in = bytes_from(t->in, n);
    *got = n;
    return 1;
}

static int pipe_write(BIO *b, const char *in, size_t len, size_t *written)
{
    struct wire_tls *t = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (buf_put(t->cipher, bytes_make(in, len)) < 0) {
        t->no_memory = true;
        return 0;
    }
    *written = len;
    return 1;
}

static long pipe_control(BIO *b, int command, long number, void *at)
{
    (void)b;
    (void)number;
    (void)at;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *wire_tls_pipe_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wstape pipe");

    if (m == NULL) {
        return NULL;
    }
    if (BIO_meth_set_read_ex(m, pipe_read) != 1 ||
        BIO_meth_set_write_ex(m, pipe_write) != 1 ||
        BIO_meth_set_ctrl(m, pipe_control) != 1) {
        BIO_meth_free(m);
        return NULL;
    }
    return m;
}
