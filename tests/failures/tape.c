#include "tests/failures/tape.h"

#include "captures/file.h"

static void count(struct capture_reader *r, struct tape_facts *out)
{
    struct capture_item item = { .event = CAPTURE_EVENT_RECORD };

    while (item.event != CAPTURE_EVENT_END && capture_reader_next(r, &item) == 0) {
        if (item.event == CAPTURE_EVENT_END) {
            out->torn = item.len;
        } else if (item.event != CAPTURE_EVENT_RECORD) {
            out->damaged++;
        } else {
            out->records++;
            out->finished = item.record.type == CAPTURE_SUMMARY;
            if (item.record.type == CAPTURE_GAP) {
                out->gaps++;
                out->gap_records += item.record.u.gap.records;
            }
        }
    }
    out->damaged += item.event != CAPTURE_EVENT_END;
}

bool tape_look(const char *path, struct tape_facts *out)
{
    struct capture_source source;
    struct capture_reader *r;
    struct err e;
    bool is;

    *out = (struct tape_facts){ 0 };
    if (capture_file_open(path, &source, &e) < 0) {
        return false;
    }
    is = capture_reader_new(&source, &r, &e) == 0;
    if (is) {
        count(r, out);
        capture_reader_free(r);
    }
    capture_file_release(&source);
    return is;
}
