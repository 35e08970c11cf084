#include "base/text.h"
#include "cli/show.h"

#include <stdio.h>

/* The table's cells of own words; client and request come from the tape. */
enum cell {
    NUMBER,
    CLIENT_ADDRESS,
    REQUEST,
    TLS,
    STATUS,
    OPENED,
    LASTED,
    SENT_COUNT,
    SENT_BYTES,
    GOT_COUNT,
    GOT_BYTES,
    FAULTS,
    ENDED,
    CELLS,
};

enum { CELL_MAX = 64, REQUEST_WIDE = 40, REQUEST_MIN = 12 };

struct table {
    unsigned width[CELLS];
    bool folded; /* address, faults and end on a line of their own */
};

static const char *const titles[CELLS] = {
    "#",      "client", "request", "TLS",   "status", "opened", "lasted",
    "→ msgs", "bytes",  "← msgs",  "bytes", "faults", "ended",
};

/* ---- what the cells say ---- */

static void tls_words(const struct capture_connection *c, char out[CELL_MAX])
{
    static const char *const words[] = { "–", "client", "server", "both" };

    snprintf(out, CELL_MAX, "%s",
             words[(c->tls.on ? 1 : 0) + (c->upstream_tls.on ? 2 : 0)]);
}

static void side_words(const struct capture_side_facts *f, char *out, size_t cap)
{
    const char *how = f->end == CAPTURE_END_FIN     ? "FIN"
                      : f->end == CAPTURE_END_RESET ? "RST"
                                                    : capture_end_name(f->end);

    if (f->close_code != 0) {
        snprintf(out, cap, "close %d", f->close_code);
    } else if (f->end == CAPTURE_END_FAULT) {
        snprintf(out, cap, "by a rule");
    } else {
        snprintf(out, cap, "%s%s", how, f->end_by_wstape ? " by wstape" : "");
    }
}

static void ended_words(const struct capture_connection *c, char out[CELL_MAX])
{
    char client[24], server[24];

    side_words(&c->side[CLIENT], client, sizeof(client));
    side_words(&c->side[SERVER], server, sizeof(server));
    if (strcmp(client, server) == 0) {
        snprintf(out, CELL_MAX, "%s", client);
    } else if (c->side[SERVER].end == 0 && c->side[SERVER].close_code == 0 &&
               c->side[CLIENT].end != 0) {
        snprintf(out, CELL_MAX, "client %s", client);
    } else {
        snprintf(out, CELL_MAX, "client %s, server %s", client, server);
    }
}

static void faults_words(const struct capture_connection *c, char out[CELL_MAX])
{
    if (c->faults == 0 && c->faults_failed == 0) {
        snprintf(out, CELL_MAX, "–");
    } else if (c->faults_failed == 0) {
        snprintf(out, CELL_MAX, "%llu", (unsigned long long)c->faults);
    } else {
        snprintf(out, CELL_MAX, "%llu, %llu failed", (unsigned long long)c->faults,
                 (unsigned long long)c->faults_failed);
    }
}

static void cell_words(const struct capture_connection *c, enum cell cell,
                       char out[CELL_MAX])
{
    const struct capture_side_facts *sent = &c->side[CLIENT], *got = &c->side[SERVER];

    out[0] = '\0';
    switch (cell) {
    case NUMBER:
        snprintf(out, CELL_MAX, "%u", (unsigned)c->number);
        break;
    case TLS:
        tls_words(c, out);
        break;
    case STATUS:
        snprintf(out, CELL_MAX, c->status == 0 ? "–" : "%u", c->status);
        break;
    case OPENED:
        snprintf(out, CELL_MAX, "%.3f", (double)c->opened_ns / 1e9);
        break;
    case LASTED:
        show_put_span(out, CELL_MAX, c->last_ns - c->opened_ns);
        break;
    case SENT_COUNT:
    case GOT_COUNT:
        snprintf(out, CELL_MAX, "%llu",
                 (unsigned long long)(cell == SENT_COUNT ? sent : got)->messages);
        break;
    case SENT_BYTES:
    case GOT_BYTES:
        show_put_bytes(out, CELL_MAX, (cell == SENT_BYTES ? sent : got)->bytes);
        break;
    case FAULTS:
        faults_words(c, out);
        break;
    case ENDED:
        ended_words(c, out);
        break;
    case CLIENT_ADDRESS:
    case REQUEST:
    case CELLS:
        break;
    }
}

static bool is_left(enum cell cell)
{
    return cell == CLIENT_ADDRESS || cell == REQUEST || cell == TLS || cell == ENDED;
}

/* Bytes stand for columns here: near enough for a width. */
static size_t foreign_len(const struct capture_connection *c, enum cell cell)
{
    if (cell == CLIENT_ADDRESS) {
        return c->client.len;
    }
    return c->method.len + 1 + c->path.len + (c->requests > 1 ? 10 : 0);
}

/* ---- how wide they are ---- */

static bool wants(const struct show *s, const struct capture_connection *c)
{
    return show_ranges_hold(&s->options.connections, c->number);
}

static void widen(unsigned *width, size_t columns)
{
    if (columns > *width) {
        *width = (unsigned)columns;
    }
}

static void measure_row(struct show *s, struct table *t,
                        const struct capture_connection *c)
{
    char words[CELL_MAX];

    for (enum cell cell = NUMBER; cell < CELLS; cell++) {
        if (cell == CLIENT_ADDRESS || cell == REQUEST) {
            size_t len = foreign_len(c, cell);

            widen(&t->width[cell], len < REQUEST_WIDE ? len : REQUEST_WIDE);
        } else {
            cell_words(c, cell, words);
            widen(&t->width[cell], show_line_columns(&s->line, words));
        }
    }
}

/* Goes to a line of its own where the terminal is narrow. */
static bool is_folded(enum cell cell)
{
    return cell == CLIENT_ADDRESS || cell == FAULTS || cell == ENDED;
}

static unsigned total_width(const struct table *t, bool folded)
{
    unsigned sum = 0;

    for (enum cell cell = NUMBER; cell < CELLS; cell++) {
        if (t->width[cell] > 0 && !(folded && is_folded(cell))) {
            sum += t->width[cell] + 2;
        }
    }
    return sum - 2;
}

static bool has_tls(const struct show *s)
{
    for (size_t i = 0; i < s->overview.count; i++) {
        if (s->overview.connections[i]->tls.on ||
            s->overview.connections[i]->upstream_tls.on) {
            return true;
        }
    }
    return false;
}

static bool has_faults(const struct show *s)
{
    for (size_t i = 0; i < s->overview.count; i++) {
        if (s->overview.connections[i]->faults > 0 ||
            s->overview.connections[i]->faults_failed > 0) {
            return true;
        }
    }
    return false;
}

static void measure(struct show *s, struct table *t)
{
    unsigned terminal = s->style.width, total;

    *t = (struct table){ 0 };
    for (enum cell cell = NUMBER; cell < CELLS; cell++) {
        t->width[cell] = show_line_columns(&s->line, titles[cell]);
    }
    for (size_t i = 0; i < s->overview.count; i++) {
        if (wants(s, s->overview.connections[i])) {
            measure_row(s, t, s->overview.connections[i]);
        }
    }
    if (!has_tls(s)) {
        t->width[TLS] = 0;
    }
    if (!has_faults(s)) {
        t->width[FAULTS] = 0;
    }
    if (terminal == 0) {
        return;
    }
    t->folded = total_width(t, false) > terminal;
    total = total_width(t, t->folded);
    if (t->folded && total > terminal) {
        unsigned over = total - terminal, have = t->width[REQUEST];

        t->width[REQUEST] = have > over + REQUEST_MIN ? have - over : REQUEST_MIN;
    }
}

/* ---- printing ---- */

static void put_request(struct show *s, const struct capture_connection *c,
                        unsigned width)
{
    unsigned start = s->line.column, used;
    char more[32] = "";

    if (c->method.len == 0) {
        show_line_text(&s->line, "–");
        return;
    }
    if (c->requests > 1) {
        snprintf(more, sizeof(more), " +%llu", (unsigned long long)c->requests - 1);
    }
    show_line_safe(&s->line, c->method, width, false);
    show_line_text(&s->line, " ");
    used = s->line.column - start + (unsigned)strlen(more);
    show_line_safe(&s->line, c->path, width > used ? width - used : 1, false);
    show_line_text(&s->line, more);
}

static void put_cell(struct show *s, const struct capture_connection *c, enum cell cell,
                     unsigned start, unsigned width)
{
    char words[CELL_MAX];

    if (is_left(cell)) {
        show_line_to(&s->line, start);
    }
    if (cell == CLIENT_ADDRESS) {
        show_line_safe(&s->line, c->client, width, false);
    } else if (cell == REQUEST) {
        put_request(s, c, width);
    } else if (is_left(cell)) {
        cell_words(c, cell, words);
        show_line_text(&s->line, words);
    } else {
        cell_words(c, cell, words);
        show_line_right(&s->line, start + width, words);
    }
}

/* A row, or with `c` NULL the titles. */
static int put_row(struct show *s, const struct table *t,
                   const struct capture_connection *c)
{
    unsigned start = 0;

    for (enum cell cell = NUMBER; cell < CELLS; cell++) {
        if (t->width[cell] == 0 || (t->folded && is_folded(cell))) {
            continue;
        }
        if (c != NULL) {
            put_cell(s, c, cell, start, t->width[cell]);
        } else if (is_left(cell)) {
            show_line_to(&s->line, start);
            show_line_text(&s->line, titles[cell]);
        } else {
            show_line_right(&s->line, start + t->width[cell], titles[cell]);
        }
        start += t->width[cell] + 2;
    }
    return show_line_end(&s->line);
}

static int put_fold(struct show *s, const struct table *t,
                    const struct capture_connection *c)
{
    char words[CELL_MAX];

    show_line_to(&s->line, t->width[NUMBER] + 2);
    show_line_colour(&s->line, SHOW_DIM);
    show_line_text(&s->line, "from ");
    show_line_safe(&s->line, c->client, 46, false);
    ended_words(c, words);
    show_line_text(&s->line, strcmp(words, "open") == 0 ? ", " : ", ended: ");
    show_line_text(&s->line, words);
    faults_words(c, words);
    if (t->width[FAULTS] > 0 && strcmp(words, "–") != 0) {
        show_line_format(&s->line, ", faults: %s", words);
    }
    return show_line_end(&s->line);
}

static int put_errors(struct show *s, const struct table *t,
                      const struct capture_connection *c)
{
    int r = 0;

    for (unsigned i = 0; r == 0 && i < c->error_count; i++) {
        show_line_to(&s->line, t->width[NUMBER] + 2);
        show_line_colour(&s->line, SHOW_BAD);
        show_line_text(&s->line, "! ");
        show_line_safe(&s->line, c->errors[i], show_line_room(&s->line), false);
        r = show_line_end(&s->line);
    }
    return r;
}

int show_head_connections(struct show *s)
{
    struct table t;
    int r;

    if (s->overview.count == 0) {
        show_line_text(&s->line, "no connections");
        return show_line_end(&s->line);
    }
    measure(s, &t);
    show_line_colour(&s->line, SHOW_DIM);
    r = put_row(s, &t, NULL);
    for (size_t i = 0; r == 0 && i < s->overview.count; i++) {
        const struct capture_connection *c = s->overview.connections[i];

        if (!wants(s, c)) {
            continue;
        }
        r = put_row(s, &t, c);
        if (r == 0 && t.folded) {
            r = put_fold(s, &t, c);
        }
        if (r == 0) {
            r = put_errors(s, &t, c);
        }
    }
    return r;
}

/* ---- the tape ---- */

static void put_count(struct show *s, const char *what, uint64_t count, const char *of)
{
    if (count > 0) {
        show_line_format(&s->line, ", %s%llu %s%s", what, (unsigned long long)count, of,
                         count == 1 ? "" : "s");
    }
}

static void put_condition(struct show *s)
{
    const struct capture_overview *o = &s->overview;
    bool damaged = o->damaged > 0 || o->missing_count > 0;

    if (s->options.follow) {
        show_line_text(&s->line, "following");
        return;
    }
    if (damaged || !o->complete || o->gaps > 0) {
        show_line_colour(&s->line, damaged ? SHOW_BAD : SHOW_WSTAPE);
    }
    show_line_text(&s->line,
                   o->complete ? "complete" : "no end: still being written or cut off");
    put_count(s, "", o->torn, "torn byte");
    put_count(s, "damaged in ", o->damaged, "place");
    put_count(s, "records missing in ", o->missing_count, "place");
    put_count(s, "", o->gaps, "gap");
}

static int put_origin(struct show *s)
{
    const struct capture_header *h = s->header;
    struct buf utc = { 0 };
    char span[32];

    if (h->wall_ns == 0) {
        show_line_colour(&s->line, SHOW_BAD);
        show_line_text(&s->line, "its header is damaged: no date and no addresses");
        return show_line_end(&s->line);
    }
    show_out_note(&s->out, text_put_utc(&utc, h->wall_ns));
    show_line_text(&s->line, "recorded ");
    show_line_safe(&s->line, buf_bytes(&utc), 40, false);
    buf_deinit(&utc);
    if (!s->options.follow) {
        show_put_span(span, sizeof(span), s->overview.last_ns);
        show_line_format(&s->line, ", %s", span);
    }
    show_line_text(&s->line, ", by ");
    show_line_safe(&s->line, h->program, 40, false);
    return show_line_end(&s->line);
}

static int put_addresses(struct show *s)
{
    if (s->header->listen.len == 0 && s->header->upstream.len == 0) {
        return 0;
    }
    show_line_safe(&s->line, s->header->listen, 200, false);
    show_line_text(&s->line, " → ");
    show_line_safe(&s->line, s->header->upstream, 200, false);
    return show_line_end(&s->line);
}

int show_head_tape(struct show *s)
{
    char size[32];
    int r;

    show_line_colour(&s->line, SHOW_BOLD);
    show_line_safe(&s->line, bytes_of(s->options.path), 200, false);
    show_line_colour(&s->line, SHOW_PLAIN);
    show_put_bytes(size, sizeof(size), s->size);
    show_line_format(&s->line, "  %s, ", size);
    put_condition(s);
    r = show_line_end(&s->line);
    if (r == 0) {
        r = put_origin(s);
    }
    if (r == 0) {
        r = put_addresses(s);
    }
    show_line_text(&s->line, "");
    return r == 0 ? show_line_end(&s->line) : r;
}
