#include "tests/unit/captures/fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- a tape whose borders are known ---- */

void tape_init(struct tape *t, uint32_t id)
{
    struct capture_header h = { .version = CAPTURE_VERSION,
                                .id = id,
                                .wall_ns = 1,
                                .program = bytes_of("a test"),
                                .listen = bytes_of("ws://127.0.0.1:8001"),
                                .upstream = bytes_of("ws://127.0.0.1:8000") };

    memset(t, 0, sizeof(*t));
    capture_block_init(&t->block, id);
    assert_int_equal(capture_encode_header(&t->block, &h), 0);
    t->starts[0] = t->block.len;
    tape_put_checkpoint(t);
}

void tape_deinit(struct tape *t)
{
    capture_block_deinit(&t->block);
}

void tape_put(struct tape *t, const struct capture_record *r)
{
    assert_true(t->count < TAPE_RECORDS_MAX);
    assert_int_equal(capture_encode(&t->block, r, NULL), 0);
    t->starts[++t->count] = t->block.len;
}

void tape_put_checkpoint(struct tape *t)
{
    tape_put(t, &(struct capture_record){ .type = CAPTURE_CHECKPOINT });
}

struct bytes tape_bytes(const struct tape *t)
{
    return buf_bytes(&t->block.bytes);
}

struct bytes tape_record(const struct tape *t, size_t i)
{
    return bytes_first(bytes_from(tape_bytes(t), t->starts[i]),
                       t->starts[i + 1] - t->starts[i]);
}

static void put_random(struct tape *t, struct chance *c, enum capture_type type,
                       size_t payload_max)
{
    struct capture_record r = random_record(c, type, payload_max);

    tape_put(t, &r);
}

void tape_fill(struct tape *t, uint64_t seed, size_t payload_max)
{
    struct chance c = { seed };

    for (size_t i = 0; i < RECORD_TYPES - 1; i++) { /* the last is the summary */
        put_random(t, &c, record_types[i], payload_max);
    }
    for (size_t i = 0; i < 6; i++) {
        put_random(t, &c, CAPTURE_FRAME, payload_max);
        put_random(t, &c, CAPTURE_MORE, payload_max);
    }
    tape_put_checkpoint(t);
    put_random(t, &c, CAPTURE_SUMMARY, payload_max);
}

/* ---- sources and sinks ---- */

static long give(void *object, uint64_t at, void *out, size_t len)
{
    const struct memory_source *m = object;

    if (m->error < 0) {
        return m->error;
    }
    if (at >= m->bytes.len) {
        return 0;
    }
    if (len > m->bytes.len - at) {
        len = m->bytes.len - (size_t)at;
    }
    if (m->chunk > 0 && len > m->chunk) {
        len = m->chunk;
    }
    memcpy(out, m->bytes.at + at, len);
    return (long)len;
}

static uint64_t size_of(void *object)
{
    const struct memory_source *m = object;

    return m->bytes.len;
}

struct capture_source memory_source(struct memory_source *m)
{
    return (struct capture_source){ .object = m, .read = give, .size = size_of };
}

static int take(void *object, struct iovec *iov, int count, size_t *done)
{
    struct memory_sink *m = object;

    *done = 0;
    m->writes++;
    for (int i = 0; i < count; i++) {
        size_t room = m->limit - m->bytes.len;
        size_t len = iov[i].iov_len < room ? iov[i].iov_len : room;

        assert_int_equal(buf_put(&m->bytes, bytes_make(iov[i].iov_base, len)), 0);
        *done += len;
        if (len < iov[i].iov_len) {
            return m->error;
        }
    }
    return 0;
}

static int sync_it(void *object)
{
    struct memory_sink *m = object;

    m->syncs++;
    return m->sync_error;
}

static int cut_it(void *object, uint64_t to_len)
{
    struct memory_sink *m = object;

    m->cuts++;
    if (m->is_pipe) {
        return -ESPIPE;
    }
    assert_true(to_len <= m->bytes.len);
    m->bytes.len = (size_t)to_len;
    return 0;
}

struct capture_sink memory_sink(struct memory_sink *m)
{
    return (struct capture_sink){
        .object = m, .write = take, .sync = sync_it, .cut = cut_it
    };
}
