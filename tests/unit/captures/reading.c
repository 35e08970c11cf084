#include "tests/unit/captures/reading.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The number of the record on the tape, from `next` on; TAPE_RECORDS_MAX when it is
 * none. */
static size_t lookup(const struct tape *t, struct bytes record, size_t next)
{
    while (next < t->count && !bytes_equal(record, tape_record(t, next))) {
        next++;
    }
    return next < t->count ? next : TAPE_RECORDS_MAX;
}

static void note(const struct tape *t, const struct capture_item *i, size_t *next,
                 struct result *out)
{
    size_t number;

    switch (i->event) {
    case CAPTURE_EVENT_RECORD:
        number = lookup(t, i->bytes, *next);
        assert_int_not_equal(number, TAPE_RECORDS_MAX); /* an invented record */
        out->found[number] = true;
        out->records++;
        *next = number + 1;
        break;
    case CAPTURE_EVENT_DAMAGE:
        out->damages++;
        out->damaged += i->len;
        break;
    case CAPTURE_EVENT_MISSING:
        out->missings++;
        break;
    case CAPTURE_EVENT_END:
        out->torn = i->len;
        out->damaged += i->len;
        break;
    }
}

void read_from(struct capture_reader *r, const struct tape *t, uint64_t size,
               struct result *out)
{
    struct capture_item i = { .event = CAPTURE_EVENT_RECORD };
    uint64_t at = 0;
    size_t next = 0;
    bool first = true;

    memset(out, 0, sizeof(*out));
    while (i.event != CAPTURE_EVENT_END) {
        assert_int_equal(capture_reader_next(r, &i), 0);
        if (i.event != CAPTURE_EVENT_MISSING) {
            assert_true(first || i.offset == at);
            at = i.offset + i.len;
            first = false;
        }
        note(t, &i, &next, out);
    }
    assert_int_equal(at, size);
}

int read_bytes(const struct tape *t, struct bytes in, size_t chunk, struct result *out)
{
    struct memory_source m = { .bytes = in, .chunk = chunk };
    struct capture_source source = memory_source(&m);
    struct capture_reader *r;
    int err = capture_reader_new(&source, &r, NULL);

    if (err == 0) {
        read_from(r, t, in.len, out);
        capture_reader_free(r);
    }
    return err;
}

void assert_found_outside(const struct tape *t, const struct result *r, size_t from,
                          size_t to)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->starts[i + 1] <= from || t->starts[i] >= to) {
            assert_true(r->found[i]);
        }
    }
}

struct buf copy_of(struct bytes in)
{
    struct buf b = { 0 };

    assert_int_equal(buf_put(&b, in), 0);
    return b;
}
