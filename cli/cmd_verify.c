#include "base/buf.h"
#include "base/text.h"
#include "captures/file.h"
#include "captures/repair.h"
#include "cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PROGRESS_MIN = 64 << 20,  /* bytes of a tape that is worth showing progress for */
    PROGRESS_STEP = 16 << 20, /* bytes between two signs of it */
    WORDS_MAX = 200,          /* bytes printed of a text on the tape */
};

/* One run, and what it has found so far. */
struct verify {
    const char *path;
    const char *repair_path; /* NULL: check only */
    bool json;
    bool progress;
    bool summary;
    uint64_t size;
    uint64_t shown_at; /* offset of the last sign of progress */
    uint64_t records;
    uint64_t connections;
    uint64_t frames;
    uint64_t readable;
    uint64_t unreadable;
    uint64_t damages; /* DAMAGE, MISSING and a torn tail */
    struct capture_source source;
    struct capture_reader *reader;
    struct capture_sink sink;
    struct capture_repair *repair;
    FILE *out; /* stderr when the repaired tape goes to stdout */
    struct buf line;
};

static const char more[] =
    "\n"
    "Reads every record and says what is damaged, where, and what can be read. The "
    "exit\n"
    "status is 1 when anything is. A tape without a summary was not finished (wstape "
    "was\n"
    "killed, or still records); that alone is no damage. A repaired tape has every "
    "record\n"
    "that can be read, byte for byte, and says where something is missing.\n"
    "\n"
    "  wstape verify session.wstape --repair sound.wstape\n";

/* ---- what is printed ---- */

static void print_line(struct verify *v)
{
    if (v->progress && v->shown_at > 0) {
        fputs("\r\033[K", stderr);
    }
    fwrite(v->line.at, 1, v->line.len, v->out);
    putc('\n', v->out);
    buf_clear(&v->line);
}

static int put_place(struct verify *v, const char *event, const struct capture_item *i)
{
    return buf_put_format(
        &v->line, "{\"event\":\"%s\",\"offset\":%" PRIu64 ",\"length\":%" PRIu64 "}",
        event, i->offset, i->len);
}

static int put_damage(struct verify *v, const struct capture_item *i)
{
    if (v->json) {
        return put_place(v, "damage", i);
    }
    return buf_put_format(
        &v->line, "damaged: %" PRIu64 " bytes from byte %" PRIu64 " on are unreadable",
        i->len, i->offset);
}

static int put_missing(struct verify *v, const struct capture_item *i)
{
    if (v->json) {
        return put_place(v, "missing", i);
    }
    return buf_put_format(&v->line,
                          "missing: what lies between bytes %" PRIu64 " and %" PRIu64
                          " is readable, but not all that was recorded there",
                          i->offset, i->offset + i->len);
}

static int put_torn(struct verify *v, const struct capture_item *i)
{
    if (v->json) {
        return put_place(v, "torn", i);
    }
    return buf_put_format(&v->line,
                          "torn: the last %" PRIu64 " bytes, from byte %" PRIu64
                          " on, are no whole record",
                          i->len, i->offset);
}

static int put_gap_json(struct verify *v, const struct capture_item *i)
{
    int r = buf_put_format(&v->line,
                           "{\"event\":\"gap\",\"offset\":%" PRIu64
                           ",\"records\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"text\":",
                           i->offset, i->record.u.gap.records, i->record.u.gap.bytes);

    if (r == 0) {
        r = text_put_json(&v->line, i->record.u.gap.text);
    }
    return r == 0 ? buf_put_text(&v->line, "}") : r;
}

/* The tape itself says that something is missing: it was so from the start. */
static int put_gap(struct verify *v, const struct capture_item *i)
{
    int r;

    if (v->json) {
        return put_gap_json(v, i);
    }
    r = buf_put_format(&v->line, "gap at byte %" PRIu64 ": ", i->offset);
    if (r == 0) {
        r = text_put_escaped(&v->line, i->record.u.gap.text, WORDS_MAX);
    }
    if (r == 0 && i->record.u.gap.records > 0) {
        r = buf_put_format(&v->line, " (%" PRIu64 " records)", i->record.u.gap.records);
    }
    return r;
}

static int put_result_json(struct verify *v)
{
    int r = buf_put_text(&v->line, "{\"event\":\"result\",\"tape\":");

    if (r == 0) {
        r = text_put_json(&v->line, bytes_of(v->path));
    }
    if (r == 0) {
        r = buf_put_format(&v->line,
                           ",\"sound\":%s,\"finished\":%s,\"records\":%" PRIu64
                           ",\"connections\":%" PRIu64 ",\"frames\":%" PRIu64
                           ",\"readable\":%" PRIu64 ",\"unreadable\":%" PRIu64 "}",
                           v->damages == 0 ? "true" : "false",
                           v->summary ? "true" : "false", v->records, v->connections,
                           v->frames, v->readable, v->unreadable);
    }
    return r;
}

static int put_result(struct verify *v)
{
    int r;

    if (v->json) {
        return put_result_json(v);
    }
    r = buf_put_format(&v->line,
                       "%s: %s: %" PRIu64 " records, %" PRIu64 " connections, %" PRIu64
                       " frames, ",
                       v->path, v->damages == 0 ? "sound" : "DAMAGED, readable are",
                       v->records, v->connections, v->frames);
    if (r == 0) {
        r = text_put_size(&v->line, v->readable);
    }
    if (r == 0 && !v->summary) {
        r = buf_put_text(&v->line,
                         "\nno summary: the recording did not finish cleanly, "
                         "or still goes on");
    }
    return r;
}

static int put_repaired(struct verify *v, const struct capture_repair_totals *t)
{
    int r;

    if (!v->json) {
        return buf_put_format(
            &v->line, "repaired: %s: %" PRIu64 " records, %" PRIu64 " gaps marked",
            v->repair_path, t->records, t->gaps);
    }
    r = buf_put_text(&v->line, "{\"event\":\"repaired\",\"tape\":");
    if (r == 0) {
        r = text_put_json(&v->line, bytes_of(v->repair_path));
    }
    if (r == 0) {
        r = buf_put_format(&v->line,
                           ",\"records\":%" PRIu64 ",\"gaps\":%" PRIu64
                           ",\"bytes\":%" PRIu64 "}",
                           t->records, t->gaps, t->bytes);
    }
    return r;
}

static void show_progress(struct verify *v)
{
    uint64_t at = capture_reader_offset(v->reader);

    if (v->progress && at - v->shown_at >= PROGRESS_STEP) {
        v->shown_at = at;
        fprintf(stderr, "\rchecked %" PRIu64 " of %" PRIu64 " MB\033[K", at / 1000000,
                v->size / 1000000);
    }
}

/* ---- reading ---- */

static int note_record(struct verify *v, const struct capture_item *i)
{
    v->records++;
    v->readable += i->len;
    v->connections += i->record.type == CAPTURE_OPEN;
    v->frames += i->record.type == CAPTURE_FRAME;
    v->summary = i->record.type == CAPTURE_SUMMARY;
    if (i->record.type != CAPTURE_GAP) {
        return 0;
    }
    return put_gap(v, i);
}

static int note_loss(struct verify *v, const struct capture_item *i)
{
    v->damages++;
    if (i->event == CAPTURE_EVENT_MISSING) {
        return put_missing(v, i);
    }
    v->unreadable += i->len;
    return i->event == CAPTURE_EVENT_END ? put_torn(v, i) : put_damage(v, i);
}

static int note(struct verify *v, const struct capture_item *i)
{
    int r = 0;

    if (i->event == CAPTURE_EVENT_RECORD) {
        r = note_record(v, i);
    } else if (i->event != CAPTURE_EVENT_END || i->len > 0) {
        r = note_loss(v, i);
    }
    if (r == 0 && v->line.len > 0) {
        print_line(v);
    }
    return r;
}

static int cannot_read(const struct verify *v, int r, struct err *e)
{
    return err_set(e, r, "cannot read %s: %s", v->path, strerror(-r));
}

static int read_all(struct verify *v, struct err *e)
{
    struct capture_item item = { .event = CAPTURE_EVENT_RECORD };

    while (item.event != CAPTURE_EVENT_END) {
        int r = capture_reader_next(v->reader, &item);

        if (r < 0) {
            return cannot_read(v, r, e);
        }
        r = note(v, &item);
        if (r < 0) {
            return err_set(e, r, "%s", strerror(-r));
        }
        r = v->repair == NULL ? 0 : capture_repair_put(v->repair, &item);
        if (r < 0) {
            return err_set(e, r, "cannot write %s: %s", v->repair_path, strerror(-r));
        }
        show_progress(v);
    }
    return 0;
}

static int finish_repair(struct verify *v, struct err *e)
{
    struct capture_repair_totals totals;
    int r = capture_repair_finish(v->repair, &totals);
    int closed = capture_file_close(&v->sink);

    if (r == 0) {
        r = closed;
    }
    if (r == 0) {
        r = put_repaired(v, &totals);
    }
    if (r < 0) {
        return err_set(e, r, "cannot write %s: %s", v->repair_path, strerror(-r));
    }
    print_line(v);
    return 0;
}

static int finish(struct verify *v, struct err *e)
{
    int r = put_result(v);

    if (r < 0) {
        return err_set(e, r, "%s", strerror(-r));
    }
    print_line(v);
    r = v->repair == NULL ? 0 : finish_repair(v, e);
    if (r == 0 && (fflush(v->out) != 0 || ferror(v->out))) {
        r = err_set(e, -EIO, "cannot write the report");
    }
    return r;
}

static int start(struct verify *v, struct err *e)
{
    struct err why;
    int r = capture_file_open(v->path, &v->source, e);

    if (r < 0) {
        return r;
    }
    v->size = v->source.size(v->source.object);
    v->progress = v->size >= PROGRESS_MIN && isatty(STDERR_FILENO) == 1;
    r = capture_reader_new(&v->source, &v->reader, &why);
    if (r < 0) {
        return err_set(e, r, "%s: %s", v->path, why.text);
    }
    v->readable = capture_reader_header_bytes(v->reader).len;
    if (v->repair_path == NULL) {
        return 0;
    }
    r = capture_file_create(v->repair_path, &v->sink, e);
    if (r == -EEXIST) {
        return err_set(e, r, "%s exists: give --repair another name, or remove it",
                       v->repair_path);
    }
    if (r == 0) {
        r = capture_repair_new(v->reader, &v->sink, &v->repair);
        r = r < 0 ? err_set(e, r, "%s", strerror(-r)) : 0;
    }
    return r;
}

/* Nothing half made is left: an empty file may be written to by another try. */
static void stop(struct verify *v)
{
    if (v->sink.object != NULL) {
        v->sink.cut(v->sink.object, 0);
        capture_file_close(&v->sink);
    }
    capture_repair_free(v->repair);
    capture_reader_free(v->reader);
    capture_file_release(&v->source);
    buf_deinit(&v->line);
}

static int run(struct verify *v)
{
    struct err e;
    int r = start(v, &e);

    if (r == 0) {
        r = read_all(v, &e);
    }
    if (r == 0) {
        r = finish(v, &e);
    }
    stop(v);
    if (r < 0) {
        return cli_fail(CLI_FAILED, &e);
    }
    return v->damages > 0 ? CLI_FOUND : CLI_OK;
}

int cmd_verify(int argc, char **argv)
{
    struct verify v = { 0 };
    const struct cli_option table[] = {
        { "repair", 0, CLI_TEXT, "OUT", "write a sound tape with all that is readable",
          &v.repair_path, NULL, 0, 0 },
        { "json", 0, CLI_FLAG, NULL, "one JSON object a line", &v.json, NULL, 0, 0 },
        { NULL, 0, CLI_FLAG, NULL, NULL, NULL, NULL, 0, 0 },
    };
    const struct cli_command command = {
        .name = "verify",
        .usage = "TAPE [--repair OUT] [--json]",
        .summary = "check a tape, and repair it",
        .more = more,
        .operands_min = 1,
        .operands_max = 1,
    };
    struct cli_parsed parsed;
    struct err e;
    int r = cli_parse(&command, table, argc, argv, &parsed, &e);

    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    v.path = parsed.operands[0];
    v.out = v.repair_path != NULL && strcmp(v.repair_path, "-") == 0 ? stderr : stdout;
    return run(&v);
}
