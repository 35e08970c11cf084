#include "tests/sim/talk.h"

#include "base/alloc.h"
#include "wire/frame.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sim_failed(int r)
{
    fprintf(stderr, "sim: %s\n", strerror(-r));
    abort();
}

struct buf *sim_talk_bytes(struct sim_talk *t, enum side from)
{
    return &t->by[from].bytes;
}

void sim_talk_put(struct sim_talk *t, enum side from, struct bytes b)
{
    sim_must(buf_put(&t->by[from].bytes, b));
    sim_must(buf_put(&t->by[from].expected, b));
}

void sim_talk_text(struct sim_talk *t, enum side from, const char *text)
{
    sim_talk_put(t, from, bytes_of(text));
}

static void add_step(struct sim_talk *t, enum side by, struct sim_step step)
{
    struct sim_script *s = &t->by[by];

    if (s->count == s->cap) {
        s->cap = s->cap == 0 ? 16 : s->cap * 2;
        s->steps = alloc_resize(s->steps, s->cap * sizeof(*s->steps));
        sim_must(s->steps == NULL ? -1 : 0);
    }
    assert(s->steps != NULL);
    s->steps[s->count++] = step;
}

void sim_talk_say(struct sim_talk *t, enum side from)
{
    add_step(t, from,
             (struct sim_step){ .kind = SIM_SAY, .upto = t->by[from].bytes.len });
}

void sim_talk_hear(struct sim_talk *t, enum side by)
{
    add_step(t, by,
             (struct sim_step){ .kind = SIM_HEAR,
                                .upto = t->by[side_other(by)].expected.len,
                                .said = t->by[side_other(by)].bytes.len,
                                .for_ns = t->patience_ns });
}

void sim_talk_wait(struct sim_talk *t, enum side by, int64_t for_ns)
{
    add_step(t, by, (struct sim_step){ .kind = SIM_WAIT, .for_ns = for_ns });
}

void sim_talk_hear_end(struct sim_talk *t, enum side by)
{
    add_step(t, by,
             (struct sim_step){ .kind = SIM_HEAR_END, .for_ns = t->patience_ns });
}

void sim_talk_end(struct sim_talk *t, enum side by, enum capture_end kind)
{
    add_step(t, by, (struct sim_step){ .kind = SIM_END, .end = kind });
}

void sim_talk_deinit(struct sim_talk *t)
{
    for (int side = CLIENT; side <= SERVER; side++) {
        buf_deinit(&t->by[side].bytes);
        buf_deinit(&t->by[side].expected);
        alloc_free(t->by[side].steps);
    }
}

/* ---- ends ---- */

/* Rules may leave a side waiting for more than ever comes; only when the other has
 * surely said all does it end. */
enum { LAST_PATIENCE = 50 };

/* A frame's header that is never whole, as the last word. Its luck is its own, so that
 * seeds mean what they meant before there was this. */
static void put_half_header(struct sim_talk *t, const struct sim_chance *c,
                            enum side from)
{
    struct sim_chance own = sim_chance_new(c->state, 2);
    struct wire_frame f = { .first = WIRE_FIN | WIRE_OP_TEXT,
                            .payload_len = sim_below(&own, 1 << 20),
                            .masked = from == CLIENT };
    uint8_t header[WIRE_FRAME_HEADER_MAX];
    size_t len;

    if (!t->frames || !t->halves || !sim_odds(&own, 10)) {
        return;
    }
    f.form = sim_odds(&own, 50) ? 64 : wire_frame_form(f.payload_len);
    len = wire_frame_encode(&f, header);
    sim_talk_put(t, from, bytes_make(header, (size_t)sim_between(&own, 1, len - 1)));
    sim_talk_say(t, from);
}

static void end_orderly(struct sim_talk *t, struct sim_chance *c)
{
    enum side first = sim_odds(c, 50) ? CLIENT : SERVER;
    enum side second = side_other(first);

    sim_talk_hear(t, first);
    t->by[first].steps[t->by[first].count - 1].for_ns *= LAST_PATIENCE;
    put_half_header(t, c, first);
    sim_talk_end(t, first, CAPTURE_END_FIN);
    sim_talk_hear(t, second);
    sim_talk_hear_end(t, second);
    sim_talk_end(t, second, CAPTURE_END_FIN);
}

/* Somebody ends somewhere in the middle, or never does. */
static void end_rudely(struct sim_talk *t, struct sim_chance *c)
{
    static const enum capture_end kinds[] = { CAPTURE_END_FIN, CAPTURE_END_TRUNCATED,
                                              CAPTURE_END_RESET, CAPTURE_END_ERROR };

    t->complete = false;
    for (int side = CLIENT; side <= SERVER; side++) {
        struct sim_script *s = &t->by[side];

        if (s->count == 0 || !sim_odds(c, 70)) {
            continue;
        }
        s->steps[sim_below(c, s->count)] = (struct sim_step){
            .kind = SIM_END, .end = kinds[sim_below(c, sizeof(kinds) / sizeof(*kinds))]
        };
    }
}

/* ---- the whole ---- */

static void garble(struct sim_talk *t, struct sim_chance *c, enum side from)
{
    uint8_t noise[200];
    size_t len = sim_between(c, 1, sizeof(noise));

    for (size_t i = 0; i < len; i++) {
        noise[i] = (uint8_t)(sim_odds(c, 30) ? '\r' + sim_below(c, 2) : sim_bits(c));
    }
    sim_talk_put(t, from, bytes_make(noise, len));
    sim_talk_say(t, from);
}

static void tunnel(struct sim_talk *t, struct sim_chance *c)
{
    for (uint64_t i = sim_below(c, 6); i > 0; i--) {
        garble(t, c, sim_odds(c, 50) ? CLIENT : SERVER);
    }
}

static void upgrade(struct sim_talk *t, struct sim_chance *c, bool big)
{
    struct wire_deflate_params deflate = { 0 };

    switch (sim_talk_upgrade(t, c, &deflate)) {
    case SIM_REFUSED:
        sim_talk_http(t, c, 1);
        return;
    case SIM_TUNNEL:
        tunnel(t, c);
        return;
    case SIM_WEBSOCKET:
        sim_talk_ws(t, c, NULL, big);
        return;
    case SIM_DEFLATE:
        t->deflate = deflate;
        sim_talk_ws(t, c, &deflate, big);
        return;
    }
}

/* No HTTP, or not for long. */
static void talk_nonsense(struct sim_talk *t, struct sim_chance *c)
{
    t->complete = false;
    if (sim_odds(c, 50)) {
        sim_talk_http(t, c, 1);
    }
    garble(t, c, sim_odds(c, 60) ? CLIENT : SERVER);
    tunnel(t, c);
}

void sim_talk_make(struct sim_talk *t, struct sim_chance *c, bool big)
{
    bool goes_on = true;

    t->complete = true;
    if (!t->calm && sim_odds(c, 10)) {
        talk_nonsense(t, c);
    } else {
        if (sim_odds(c, 45)) {
            goes_on = sim_talk_http(t, c, (unsigned)sim_between(c, 1, 4));
        }
        if (goes_on && sim_odds(c, 80)) {
            upgrade(t, c, big);
        }
    }
    end_orderly(t, c);
    if (!t->calm && sim_odds(c, 40)) {
        end_rudely(t, c);
    }
}
