#include "base/clock.h"
#include "tests/sim/world.h"

#include <string.h>

/* ---- the tape fails ---- */

static void drop_sends(struct sim_world *w)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->outputs.count; i++) {
        struct proxy_output *out = &w->outputs.at[i];
        struct sim_pair *p = out->owner;

        if (out->kind != PROXY_SEND) {
            w->outputs.at[kept++] = *out;
            continue;
        }
        proxy_session_lost(p->session, (enum side)out->side);
        chunk_unref(out->u.send.chunk);
    }
    w->outputs.count = kept;
}

void sim_pair_stop(struct sim_pair *p, unsigned code, const char *reason)
{
    uint64_t bits = sim_bits(&p->world->luck);
    uint8_t mask[4];

    if (p->session == NULL || p->closed) {
        return;
    }
    p->stopped = true;
    memcpy(mask, &bits, sizeof(mask));
    sim_input(p, proxy_session_stop(p->session, code, reason, mask, p->world->now_ns));
}

static void tape_failed(struct sim_world *w, int error)
{
    SIM_TELL(w, "the tape failed: %s", strerror(-error));
    w->failed = w->stopped = true;
    w->tap.block = NULL;
    drop_sends(w);
    for (unsigned i = 0; i < w->scene->count; i++) {
        if (w->pairs[i].session != NULL) {
            proxy_session_silence(w->pairs[i].session);
        }
    }
    for (unsigned i = 0; i < w->scene->count; i++) {
        sim_pair_stop(&w->pairs[i], 1011, "tape failed: no space");
    }
}

static void write_tape(struct sim_world *w)
{
    uint64_t lost = capture_writer_totals(w->writer).lost_records;
    int r;

    sim_check_block(w);
    r = capture_writer_flush(w->writer, w->now_ns);
    if (r < 0) {
        tape_failed(w, r);
        return;
    }
    sim_check_written(w, capture_writer_totals(w->writer).lost_records == lost);
}

/* ---- outputs ---- */

static void send(struct sim_pair *p, enum side to, struct bytes b)
{
    struct sim_leg *l = &p->legs[to];

    sim_tell_bytes(p->world, b);
    sim_check_send(p, to, b);
    if (l->gone) {
        return;
    }
    sim_leg_take(l, b);
    if (l->queued > PROXY_HIGH_WATER) {
        l->above = true;
        sim_input(p, proxy_session_queued(p->session, to, l->queued));
    }
}

static void reset(struct sim_pair *p, enum side side)
{
    p->legs[side].gone = true;
    p->legs[side].queued = 0;
    if (side == SERVER) {
        p->connect_at = SIM_NEVER;
    }
}

static void close_pair(struct sim_pair *p)
{
    p->closed = true;
    p->connect_at = p->wake_at = p->open_at = SIM_NEVER;
    for (int side = CLIENT; side <= SERVER; side++) {
        sim_leg_fin(&p->legs[side]);
    }
}

static void connect(struct sim_pair *p)
{
    if (p->cast->backend != SIM_NO_ANSWER) {
        p->connect_at = sim_soon(p->world, CLOCK_NS_PER_MS);
    }
}

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = { "send",  "read",   "connect", "fin",  "cut",
                                         "reset", "accept", "wake",    "close" };

    return names[kind];
}

static void perform(struct sim_pair *p, const struct proxy_output *out)
{
    enum side side = (enum side)out->side;

    sim_check_output(p, out);
    if (out->kind != PROXY_WAKE) {
        SIM_TELL(p->world, "%u   %s %s %s%zu", p->number, kind_name(out->kind),
                 side_name(side), out->on ? "on " : "",
                 out->kind == PROXY_SEND ? out->u.send.len : 0);
    }
    if (p->closed) {
        return;
    }
    switch ((enum proxy_output_kind)out->kind) {
    case PROXY_SEND:
        send(p, side, slice_bytes(out->u.send));
        return;
    case PROXY_READ:
        p->legs[side].reading = out->on;
        return;
    case PROXY_CONNECT:
        connect(p);
        return;
    case PROXY_FIN:
    case PROXY_CUT:
        sim_leg_fin(&p->legs[side]);
        return;
    case PROXY_RESET:
        reset(p, side);
        return;
    case PROXY_ACCEPT:
        p->tls_aborts = out->tls == PROXY_TLS_ABORT;
        p->open_at = sim_soon(p->world, CLOCK_NS_PER_MS);
        return;
    case PROXY_WAKE:
        p->wake_at = out->u.wake_at;
        return;
    case PROXY_CLOSE:
        close_pair(p);
        return;
    }
}

static void digest_output(struct sim_world *w, const struct proxy_output *out)
{
    const struct sim_pair *p = out->owner;
    uint64_t facts[3] = { p->number,
                          out->kind | (uint64_t)out->side << 8 |
                              (uint64_t)out->on << 16 | (uint64_t)out->tls << 24,
                          out->kind == PROXY_WAKE ? (uint64_t)out->u.wake_at : 0 };

    sim_digest(w, bytes_make(facts, sizeof(facts)));
    if (out->kind == PROXY_SEND) {
        sim_digest(w, slice_bytes(out->u.send));
    }
}

static void perform_all(struct sim_world *w)
{
    /* Performing may add outputs (back-pressure): the list grows while it is walked. */
    for (size_t i = 0; i < w->outputs.count; i++) {
        struct proxy_output out = w->outputs.at[i];

        digest_output(w, &out);
        perform(out.owner, &out);
    }
    proxy_outputs_clear(&w->outputs);
    w->shared.turn++;
}

/* ---- the turn ---- */

static void settle(struct sim_pair *p)
{
    if (p->session == NULL) {
        return;
    }
    if (!p->closed) {
        sim_check_budget(p);
        return;
    }
    sim_check_end(p);
    proxy_session_free(p->session);
    p->session = NULL;
}

void sim_turn(struct sim_world *w)
{
    w->turns++;
    if (w->tap.block != NULL) {
        write_tape(w);
    }
    perform_all(w);
    for (unsigned i = 0; i < w->scene->count; i++) {
        settle(&w->pairs[i]);
    }
}
