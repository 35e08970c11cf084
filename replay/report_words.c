#include "replay/report_state.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { HEX_MAX = 24 }; /* bytes of a binary value that are shown */

void replay_words_text(struct report_words *w, const char *text)
{
    if (w->error == 0) {
        w->error = buf_put_text(w->out, text);
    }
}

void replay_words_format(struct report_words *w, const char *format, ...)
{
    char short_text[128]; /* numbers and literals of ours */
    va_list args;

    va_start(args, format);
    vsnprintf(short_text, sizeof(short_text), format, args);
    va_end(args);
    replay_words_text(w, short_text);
}

void replay_words_count(struct report_words *w, uint64_t count, const char *one,
                        const char *many)
{
    replay_words_format(w, "%" PRIu64 " %s", count, count == 1 ? one : many);
}

void replay_words_escaped(struct report_words *w, struct bytes in, size_t limit)
{
    if (w->error == 0) {
        w->error = text_put_escaped(w->out, in, limit);
    }
}

static void put_binary(struct report_words *w, struct bytes in)
{
    size_t shown = in.len < HEX_MAX ? in.len : HEX_MAX;

    replay_words_text(w, "binary ");
    if (w->error == 0) {
        w->error = text_put_hex(w->out, bytes_first(in, shown));
    }
    replay_words_text(w, shown < in.len ? "… (" : " (");
    if (w->error == 0) {
        w->error = text_put_size(w->out, in.len);
    }
    replay_words_text(w, ")");
}

void replay_words_value(struct report_words *w, struct bytes in, bool present,
                        bool is_binary)
{
    if (!present) {
        replay_words_text(w, "(missing)");
    } else if (in.len == 0) {
        replay_words_text(w, "(empty)");
    } else if (is_binary) {
        put_binary(w, in);
    } else {
        replay_words_escaped(w, in, REPLAY_REPORT_TEXT);
    }
}

void replay_words_time(struct report_words *w, int64_t ns)
{
    double ms = (double)ns / 1e6;

    if (ns < 0) {
        replay_words_text(w, "-");
        ms = -ms;
    }
    if (ms < 10) {
        replay_words_format(w, "%.2f ms", ms);
    } else if (ms < 1000) {
        replay_words_format(w, "%.1f ms", ms);
    } else {
        replay_words_format(w, "%.2f s", ms / 1000);
    }
}

void replay_words_record(struct report_words *w, const char *name)
{
    replay_words_format(w, "{\"record\":\"%s\"", name);
}

void replay_words_number(struct report_words *w, const char *key, uint64_t value)
{
    replay_words_format(w, ",\"%s\":%" PRIu64, key, value);
}

void replay_words_seconds(struct report_words *w, const char *key, int64_t ns)
{
    replay_words_format(w, ",\"%s\":%.6f", key, (double)ns / 1e9);
}

void replay_words_string(struct report_words *w, const char *key, struct bytes text)
{
    replay_words_format(w, ",\"%s\":", key);
    if (w->error == 0) {
        w->error = text_put_json(w->out, text);
    }
}
