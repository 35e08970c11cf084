#include "tests/sim/replay_world.h"
#include "tests/sim/world.h"

/* ---- reading ---- */

static bool read_script(struct sim_replay_tape *t, const struct sim_tape *tape,
                        bool damaged, struct buf *wrong)
{
    struct capture_source source = sim_tape_source(tape);
    struct capture_reader *reader;
    struct err e;
    int r = capture_reader_new(&source, &reader, &e);

    if (r == 0) {
        r = replay_script_new(reader, NULL, NULL, &t->script, &e);
        capture_reader_free(reader);
    }
    if (r < 0 && !damaged) {
        sim_must(buf_put_format(wrong, "the tape cannot be played: %s", e.text));
    }
    return r == 0 || damaged;
}

/* ---- damage ---- */

static void damage(struct sim_tape *tape, struct sim_chance *c)
{
    size_t len = tape->bytes.len;

    for (uint64_t i = sim_between(c, 1, 4); i > 0 && len > 0; i--) {
        tape->bytes.at[sim_below(c, len)] ^= (uint8_t)sim_between(c, 1, 255);
    }
    if (sim_odds(c, 30)) {
        tape->bytes.len = sim_below(c, len + 1);
    }
}

/* ---- what it is good for ---- */

static bool ended_in_order(const struct sim_scene *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct sim_cast *cast = &s->cast[i];

        if (!cast->talk.complete || cast->refused || cast->backend != SIM_REACHED) {
            return false;
        }
    }
    return s->calm && !s->has_rules && s->count == 1;
}

/* Messages that were under way when the other side closed: a live side that hears the
 * close first answers it instead of saying them. */
static bool crosses_a_close(const struct replay_connection *c)
{
    bool closed[2] = { false, false };

    for (uint32_t i = 0; i < c->step_count; i++) {
        const struct replay_step *step = &c->steps[i];
        enum side from = (enum side)step->from;

        if (step->kind != REPLAY_FRAME) {
            continue;
        }
        if ((step->first & 0x0fU) == WIRE_OP_CLOSE) {
            closed[from] = true;
        } else if (closed[side_other(from)] && !closed[from] &&
                   step->message != REPLAY_NONE) {
            return true;
        }
    }
    return false;
}

static bool is_whole(const struct replay_script *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct replay_connection *c = &s->connections[i];

        for (uint32_t k = 0; k < c->exchange_count; k++) {
            if (c->exchanges[k].cut || c->exchanges[k].asked_cut) {
                return false;
            }
        }
        for (uint32_t k = 0; k < c->message_count; k++) {
            if (!c->messages[k].whole) {
                return false;
            }
        }
        if (crosses_a_close(c) || replay_connection_faults(c, CLIENT) != 0 ||
            replay_connection_faults(c, SERVER) != 0) {
            return false;
        }
    }
    return s->damaged == 0 && !s->torn;
}

static size_t largest(const struct replay_script *s)
{
    size_t most = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct replay_connection *c = &s->connections[i];

        for (uint32_t k = 0; k < c->step_count; k++) {
            most = c->steps[k].bytes.len > most ? c->steps[k].bytes.len : most;
        }
        for (uint32_t k = 0; k < c->message_count; k++) {
            most =
                c->messages[k].payload.len > most ? c->messages[k].payload.len : most;
        }
    }
    return most + most / 8;
}

bool sim_replay_tape_make(struct sim_replay_tape *t, uint64_t seed, struct buf *wrong)
{
    struct sim_chance c = sim_chance_new(seed, 20);
    struct sim_scene scene;
    struct sim_world world;
    bool damaged = sim_odds(&c, 15), good;

    *t = (struct sim_replay_tape){ .script = NULL };
    sim_scene_make(&scene, seed);
    sim_world_run(&world, &scene, 0, false);
    if (damaged) {
        damage(&world.tape, &c);
    }
    good = read_script(t, &world.tape, damaged || world.tape.torn, wrong);
    if (t->script != NULL) {
        t->clean = !damaged && ended_in_order(&scene) && is_whole(t->script);
        t->largest = largest(t->script);
    }
    sim_world_deinit(&world);
    sim_scene_deinit(&scene);
    return good;
}

void sim_replay_tape_deinit(struct sim_replay_tape *t)
{
    replay_script_free(t->script);
}
