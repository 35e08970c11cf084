#include "tests/sim/replay_world.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "replay/speak.h"
#include "tests/sim/talk.h"
#include "wire/mask.h"

/* ---- what the tape has ---- */

static void put_unit(struct sim_odd *o)
{
    size_t before = o->count == 0 ? 0 : o->units[o->count - 1];

    if (o->bytes.len > before) {
        o->units[o->count++] = o->bytes.len;
    }
}

static void put_steps(struct sim_odd *o, const struct replay_connection *c,
                      enum side side)
{
    struct replay_speak speak;

    replay_speak_init(&speak, c, side, &c->deflate);
    for (uint32_t i = 0; i < c->step_count; i++) {
        const struct replay_step *s = &c->steps[i];

        if (s->from != side || s->kind == REPLAY_END) {
            continue;
        }
        if (s->kind == REPLAY_FRAME) {
            sim_must(replay_speak_step(&speak, i,
                                       s->message == REPLAY_NONE
                                           ? bytes_of("")
                                           : c->messages[s->message].payload,
                                       &o->bytes));
        } else {
            sim_must(buf_put(&o->bytes, s->bytes));
        }
        put_unit(o);
    }
    replay_speak_deinit(&speak);
}

/* ---- changes ---- */

static struct bytes unit(const struct sim_odd *o, size_t i)
{
    size_t from = i == 0 ? 0 : o->units[i - 1];

    return bytes_make(o->bytes.at + from, o->units[i] - from);
}

static void put_garbage(struct buf *out, struct sim_chance *c)
{
    for (uint64_t i = sim_between(c, 1, 40); i > 0; i--) {
        sim_must(buf_put_byte(out, (uint8_t)sim_bits(c)));
    }
}

static void put_frame(struct buf *out, enum side side, struct sim_chance *c)
{
    static const uint8_t firsts[] = { 0x81, 0x82, 0x89, 0x8a, 0x88, 0x01, 0x80, 0xc1 };
    struct wire_frame f = { .first = firsts[sim_below(c, sizeof(firsts))],
                            .form = 7,
                            .payload_len = sim_below(c, 60),
                            .masked = side == CLIENT,
                            .mask = { 0, 0, 0, 0 } };
    uint8_t header[WIRE_FRAME_HEADER_MAX];

    sim_must(buf_put(out, bytes_make(header, wire_frame_encode(&f, header))));
    for (uint64_t i = 0; i < f.payload_len; i++) {
        sim_must(buf_put_byte(out, (uint8_t)('a' + sim_below(c, 26))));
    }
}

enum change { KEEP, DROP, TWICE, FLIP, GARBAGE, FRAME, SWAP, CHANGES };

static void copy(struct sim_odd *to, const struct sim_odd *o, size_t i, enum change how,
                 enum side side, struct sim_chance *c)
{
    struct bytes b = unit(o, i);

    if (how == GARBAGE) {
        put_garbage(&to->bytes, c);
    } else if (how == FRAME) {
        put_frame(&to->bytes, side, c);
    }
    put_unit(to);
    for (unsigned k = how == DROP ? 0 : how == TWICE ? 2 : 1; k > 0; k--) {
        sim_must(buf_put(&to->bytes, b));
        if (how == FLIP) {
            to->bytes.at[to->bytes.len - 1 - sim_below(c, b.len)] ^=
                (uint8_t)(1U << sim_below(c, 8));
        }
        put_unit(to);
    }
}

/* Say `o` with changes. */
static void change(struct sim_odd *to, const struct sim_odd *o, enum side side,
                   struct sim_chance *c)
{
    unsigned percent = (unsigned)(sim_odds(c, 30) ? sim_between(c, 1, 60) : 10);
    size_t count = sim_odds(c, 20) ? sim_below(c, o->count + 1) : o->count;

    for (size_t i = 0; i < count; i++) {
        enum change how =
            sim_odds(c, percent) ? (enum change)sim_below(c, CHANGES) : KEEP;

        if (how == SWAP && i + 1 < count) {
            copy(to, o, i + 1, KEEP, side, c);
            copy(to, o, i, KEEP, side, c);
            i++;
        } else {
            copy(to, o, i, how, side, c);
        }
    }
    if (sim_odds(c, 15)) {
        put_frame(&to->bytes, side, c);
        put_unit(to);
    }
}

void sim_odd_make(struct sim_odd *o, const struct replay_connection *c, enum side side,
                  struct sim_chance *luck)
{
    static const enum capture_end ends[] = { CAPTURE_END_FIN, CAPTURE_END_FIN,
                                             CAPTURE_END_TRUNCATED, CAPTURE_END_RESET };
    struct sim_odd tape = { .count = 0 };

    tape.units = alloc_zero(c->step_count + 1, sizeof(*tape.units));
    sim_must(tape.units == NULL ? -1 : 0);
    put_steps(&tape, c, side);
    *o = (struct sim_odd){ .end = ends[sim_below(luck, 4)] };
    o->pause_ns = (sim_odds(luck, 20) ? 5000 : 30) * CLOCK_NS_PER_MS;
    o->units = alloc_zero(3 * tape.count + 1, sizeof(*o->units));
    sim_must(o->units == NULL ? -1 : 0);
    change(o, &tape, side, luck);
    sim_odd_deinit(&tape);
}

void sim_odd_deinit(struct sim_odd *o)
{
    buf_deinit(&o->bytes);
    alloc_free(o->units);
}
