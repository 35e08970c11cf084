#include "proxy/guest.h"

#include "base/alloc.h"
#include "proxy/server_state.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

/*
 * A seat is never told anything from within what it does: it says something into the
 * server's list, and the turn hook hands that to the session between two flushes.
 */

int proxy_seat_new(struct proxy_pair *p, enum side side,
                   const struct proxy_guest *guest, void *object)
{
    struct proxy_seat *seat = alloc_zero(1, sizeof(*seat));

    if (seat == NULL) {
        return -ENOMEM;
    }
    list_init(&seat->leaving);
    list_init(&seat->eager);
    seat->pair = p;
    seat->side = side;
    seat->guest = guest;
    seat->object = object;
    seat->flows = true;
    p->seats[side] = seat;
    return 0;
}

/* ---- what it is told ---- */

void proxy_seat_ready(struct proxy_seat *seat)
{
    if (!seat->over) {
        seat->ready = true;
        seat->guest->ready(seat->object, seat);
    }
}

/* Why what comes to a caller is not from its backend. */
static const char *not_reached(const struct proxy_seat *seat)
{
    return seat->side == CLIENT ? proxy_session_unreachable(seat->pair->session) : NULL;
}

void proxy_seat_bytes(struct proxy_seat *seat, struct bytes in)
{
    if (seat->over || seat->told_end) {
        return;
    }
    if (not_reached(seat) != NULL) {
        proxy_seat_end(seat, CAPTURE_END_ERROR);
        return;
    }
    seat->guest->bytes(seat->object, in);
}

void proxy_seat_end(struct proxy_seat *seat, enum capture_end kind)
{
    const char *why = not_reached(seat);

    if (!seat->told_end && seat->ready) {
        seat->told_end = true;
        seat->guest->ended(seat->object, why == NULL ? kind : CAPTURE_END_ERROR, why);
    }
}

void proxy_seat_flow(struct proxy_seat *seat, bool on)
{
    if (!seat->over && seat->flows != on) {
        seat->flows = on;
        seat->guest->flow(seat->object, on);
    }
}

void proxy_seat_leave(struct proxy_seat *seat, enum capture_end kind, bool cut_short)
{
    if (seat->over) {
        return;
    }
    seat->over = true;
    seat->cut_short = cut_short;
    seat->last_kind = (uint8_t)kind;
    list_remove(&seat->eager);
    list_append(&seat->pair->server->leaving, &seat->leaving);
}

bool proxy_guest_is_cut_short(const struct proxy_seat *seat)
{
    return seat->cut_short || proxy_session_ends_itself(seat->pair->session);
}

/* ---- what it does ---- */

static int say(struct proxy_seat *seat, const struct proxy_output *out)
{
    int r = proxy_outputs_put(&seat->pair->server->said, out);

    if (r < 0) {
        proxy_pair_abort(seat->pair);
    }
    return r;
}

static int said(struct proxy_seat *seat, enum proxy_output_kind kind)
{
    return say(seat, &(struct proxy_output){ .owner = seat->pair,
                                             .kind = (uint8_t)kind,
                                             .side = (uint8_t)seat->side });
}

int proxy_guest_send(struct proxy_seat *seat, struct bytes bytes)
{
    struct proxy_output out = { .owner = seat->pair,
                                .kind = PROXY_SEND,
                                .side = (uint8_t)seat->side };
    int r;

    assert(seat->ready);
    if (seat->over || seat->said_end || bytes.len == 0) {
        return 0;
    }
    r = slice_copy(bytes, &out.u.send);
    if (r < 0) {
        proxy_pair_abort(seat->pair);
        return r;
    }
    r = say(seat, &out);
    if (r < 0) {
        chunk_unref(out.u.send.chunk);
    }
    return r;
}

int proxy_guest_end(struct proxy_seat *seat, enum capture_end kind)
{
    enum proxy_output_kind as = PROXY_FIN;

    assert(seat->ready);
    if (seat->over || (seat->said_end && kind != CAPTURE_END_RESET)) {
        return 0;
    }
    seat->said_end = true;
    if (kind == CAPTURE_END_RESET) {
        as = PROXY_RESET;
    } else if (kind == CAPTURE_END_TRUNCATED) {
        as = PROXY_CUT;
    }
    return said(seat, as);
}

void proxy_guest_again(struct proxy_seat *seat)
{
    struct proxy_server *s = seat->pair->server;

    if (!seat->over && list_empty(&seat->eager)) {
        list_append(&s->eager, &seat->eager);
        net_timer_at(s->round, 0);
    }
}

/* ---- as the backend ---- */

void proxy_pair_connect_guest(struct proxy_pair *p)
{
    const struct proxy_guest *guest = p->server->config.backend;
    struct proxy_seat *seat;

    if (proxy_seat_new(p, SERVER, guest, NULL) < 0) {
        proxy_pair_abort(p);
        return;
    }
    seat = p->seats[SERVER];
    seat->object = guest->open(guest->owner, seat, p->number);
    if (seat->object == NULL) {
        p->seats[SERVER] = NULL;
        alloc_free(seat);
        proxy_pair_abort(p);
        return;
    }
    if (said(seat, PROXY_CONNECT) == 0) {
        proxy_seat_ready(seat);
    }
}

/* ---- in the turn ---- */

static enum capture_end end_of(enum proxy_output_kind kind)
{
    if (kind == PROXY_RESET) {
        return CAPTURE_END_RESET;
    }
    return kind == PROXY_CUT ? CAPTURE_END_TRUNCATED : CAPTURE_END_FIN;
}

/* To the session goes what a guest said. */
static void hear(const struct proxy_output *out)
{
    struct proxy_pair *p = out->owner;
    enum side side = (enum side)out->side;

    if (p->closing || p->seats[side] == NULL || p->seats[side]->over) {
        return;
    }
    if (out->kind == PROXY_CONNECT) {
        snprintf(p->address, sizeof(p->address), "%s", PROXY_GUEST_ADDRESS);
        proxy_pair_server_ready(p, NULL);
    } else if (out->kind == PROXY_SEND && !p->ended[side]) {
        proxy_pair_check(
            p, proxy_session_bytes(p->session, side, out->u.send, proxy_pair_now(p)));
    } else if (out->kind != PROXY_SEND) {
        proxy_pair_leg_ended(p, side, end_of((enum proxy_output_kind)out->kind), NULL);
    }
}

static void hear_all(struct proxy_server *s)
{
    struct proxy_outputs batch = s->said;

    s->said = s->heard;
    for (size_t i = 0; i < batch.count; i++) {
        hear(&batch.at[i]);
    }
    proxy_outputs_clear(&batch);
    s->heard = batch;
}

/* The pair may go with its seat; nothing that it said may be left in the list then. */
static void see_off(struct proxy_server *s)
{
    while (!list_empty(&s->leaving) && s->said.count == 0) {
        struct proxy_seat *seat =
            LIST_ENTRY(s->leaving.next, struct proxy_seat, leaving);
        struct proxy_pair *p = seat->pair;

        list_remove(&seat->leaving);
        proxy_seat_end(seat, (enum capture_end)seat->last_kind);
        seat->guest->gone(seat->object);
        p->seats[seat->side] = NULL;
        alloc_free(seat);
        proxy_pair_free_if_gone(p);
    }
}

bool proxy_server_hear_guests(struct proxy_server *s)
{
    if (s->said.count == 0 && list_empty(&s->leaving)) {
        return false;
    }
    hear_all(s);
    see_off(s);
    return true;
}

void proxy_server_rouse_guests(struct proxy_server *s)
{
    struct list batch;

    list_init(&batch);
    while (!list_empty(&s->eager)) {
        struct list *node = s->eager.next;

        list_remove(node);
        list_append(&batch, node);
    }
    while (!list_empty(&batch)) {
        struct proxy_seat *seat = LIST_ENTRY(batch.next, struct proxy_seat, eager);

        list_remove(&seat->eager);
        seat->guest->again(seat->object);
    }
}
