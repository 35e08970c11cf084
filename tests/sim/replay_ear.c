#include "tests/sim/replay_world.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/sim/talk.h"

/* The rounding of a pace. */
static const int64_t tolerance_ns = 1000;

/* ---- messages ---- */

static void keep(struct sim_ear *ear, struct sim_said said)
{
    if (ear->count == ear->cap) {
        ear->cap = ear->cap == 0 ? 16 : ear->cap * 2;
        ear->said = alloc_resize(ear->said, ear->cap * sizeof(*ear->said));
        sim_must(ear->said == NULL ? -1 : 0);
    }
    ear->said[ear->count++] = said;
}

static int take_message(void *owner, uint32_t connection,
                        const struct capture_message *m)
{
    struct sim_ear *ear = owner;
    uint8_t head[2] = { (uint8_t)capture_message_opcode(m), (uint8_t)m->coding };
    uint64_t len = m->payload.len;

    (void)connection;
    if (m->number == 0 || m->incomplete) {
        return 0;
    }
    sim_must(buf_put(&ear->texts, bytes_make(head, sizeof(head))));
    sim_must(buf_put(&ear->texts, bytes_make(&len, sizeof(len))));
    sim_must(buf_put(&ear->texts, m->payload));
    keep(ear, (struct sim_said){ ear->began_ns, ear->now_ns, ear->frame_end });
    return 0;
}

void sim_ear_init(struct sim_ear *ear, const struct replay_connection *c,
                  enum side from)
{
    *ear = (struct sim_ear){ .recorded = c, .from = from, .frames_at = SIZE_MAX };
}

void sim_ear_deinit(struct sim_ear *ear)
{
    if (ear->hears) {
        replay_hear_deinit(&ear->hear);
    }
    buf_deinit(&ear->all);
    buf_deinit(&ear->texts);
    alloc_free(ear->said);
}

/* ---- where frames begin ---- */

/* The handshake's head on the tape as far as both ends leave it as it was. */
static struct bytes landmark(const struct sim_ear *ear)
{
    const struct replay_connection *c = ear->recorded;
    const struct replay_exchange *x = &c->exchanges[c->handshake];

    return ear->from == CLIENT ? c->steps[x->request].bytes : bytes_of("HTTP/1.1 101 ");
}

static void find_frames(struct sim_ear *ear)
{
    struct bytes all = buf_bytes(&ear->all), mark;
    size_t at, end;

    if (ear->lost || ear->recorded->handshake == REPLAY_NONE) {
        return;
    }
    mark = landmark(ear);
    at = bytes_find(all, mark);
    if (mark.len == 0 || at >= all.len) {
        return;
    }
    end = bytes_find(bytes_from(all, at), bytes_of("\r\n\r\n"));
    if (end < all.len - at) {
        ear->frames_at = ear->at = at + end + 4;
        sim_must(replay_hear_init(&ear->hear, ear->from, &ear->recorded->deflate,
                                  1 << 24, take_message, ear));
        ear->hears = true;
    }
}

/* ---- frames ---- */

static bool take_frame(struct sim_ear *ear)
{
    struct wire_frame_decoder d = { .have = 0 };
    struct bytes in = bytes_from(buf_bytes(&ear->all), ear->at);
    struct wire_frame f;
    size_t used, len;

    if (wire_frame_decode(&d, in, &used, &f) != 0) {
        return false;
    }
    if (!wire_frame_is_control(&f) && !ear->within) {
        ear->within = true;
        ear->began_ns = ear->now_ns;
        ear->data_frames++;
    }
    if (in.len - used < f.payload_len) {
        return false;
    }
    len = used + (size_t)f.payload_len;
    ear->at += len;
    ear->frame_end = ear->at;
    sim_must(replay_hear_feed(&ear->hear, bytes_first(in, len), ear->now_ns));
    if (!wire_frame_is_control(&f) && (f.first & WIRE_FIN) != 0) {
        ear->within = false;
    }
    return true;
}

void sim_ear_take(struct sim_ear *ear, struct bytes b, int64_t now_ns)
{
    ear->now_ns = now_ns;
    sim_must(buf_put(&ear->all, b));
    if (!ear->hears) {
        find_frames(ear);
    }
    while (ear->hears && !ear->lost && take_frame(ear)) {
    }
}

uint64_t sim_ear_count(const struct sim_ear *ear, size_t upto)
{
    size_t n = ear->count;

    while (n > 0 && ear->said[n - 1].end_at > upto) {
        n--;
    }
    return n;
}

/* ---- against the tape ---- */

/* Message `number` of a side, from 0; NULL: the tape has no such. */
static const struct replay_message *recorded(const struct replay_connection *c,
                                             enum side side, size_t number)
{
    uint32_t i = c->first[side];

    while (i != REPLAY_NONE && number-- > 0) {
        i = c->messages[i].next;
    }
    return i == REPLAY_NONE ? NULL : &c->messages[i];
}

/* Messages of the other side that were complete before a step. */
static size_t due_before(const struct replay_connection *c, enum side side,
                         uint32_t step, const struct replay_message **last)
{
    size_t n = 0;

    *last = NULL;
    for (uint32_t i = c->first[side]; i != REPLAY_NONE; i = c->messages[i].next) {
        if (c->messages[i].last_step > step) {
            break;
        }
        *last = &c->messages[i];
        n++;
    }
    return n;
}

/* Nothing but the side itself between two of its steps. */
static bool are_neighbours(const struct replay_connection *c, uint32_t from,
                           uint32_t to)
{
    for (uint32_t i = from; i <= to; i++) {
        if (c->steps[i].from != c->steps[from].from) {
            return false;
        }
    }
    return true;
}

static int64_t paced(const struct sim_replay *w, int64_t ns)
{
    double pace = w->plan->options.pace;

    return pace > 0 && ns > 0 ? (int64_t)((double)ns / pace) : 0;
}

/* The gap to the message before, if nothing else is between them. */
static void check_gap(struct sim_replay_end *e, size_t n,
                      const struct replay_message *m)
{
    struct sim_replay *w = e->call->world;
    const struct replay_connection *c = e->call->recorded;
    const struct replay_message *before = recorded(c, e->side, n - 1);
    int64_t want, got;

    if (!w->plan->punctual || !are_neighbours(c, before->last_step, m->step)) {
        return;
    }
    want = paced(w, c->steps[m->step].time_ns - c->steps[before->last_step].time_ns);
    got = e->ear.said[n].began_ns - e->ear.said[n - 1].time_ns;
    if (got < want - tolerance_ns || got > want + tolerance_ns) {
        sim_replay_wrong(w, "%s's message %zu comes %lld ns after the one before: %lld",
                         side_name(e->side), n + 1, (long long)got, (long long)want);
    }
}

static void check_gate(struct sim_replay_end *e, size_t n,
                       const struct replay_message *m)
{
    struct sim_replay *w = e->call->world;
    const struct replay_connection *c = e->call->recorded;
    const struct sim_replay_end *other = &e->call->ends[side_other(e->side)];
    const struct replay_message *last;
    size_t due = due_before(c, other->side, m->step, &last);
    int64_t want;

    if (sim_ear_count(&other->ear, other->given) < due) {
        sim_replay_wrong(w, "%s says message %zu before it has heard %zu",
                         side_name(e->side), n + 1, due);
        return;
    }
    if (due == 0 || !are_neighbours(c, last->last_step + 1, m->step)) {
        return;
    }
    want = paced(w, c->steps[m->step].time_ns - c->steps[last->last_step].time_ns);
    if (e->ear.said[n].began_ns - other->ear.said[due - 1].time_ns <
        want - tolerance_ns) {
        sim_replay_wrong(w, "%s's message %zu answers too early", side_name(e->side),
                         n + 1);
    }
}

void sim_ear_check_gates(struct sim_replay_end *e, size_t from)
{
    for (size_t n = from; n < e->ear.count; n++) {
        const struct replay_message *m = recorded(e->call->recorded, e->side, n);

        if (m == NULL) {
            sim_replay_wrong(e->call->world,
                             "%s says message %zu: it is not on the tape",
                             side_name(e->side), n + 1);
            return;
        }
        check_gate(e, n, m);
        if (n > 0) {
            check_gap(e, n, m);
        }
    }
}

/* ---- all of it ---- */

/* What a side said before frames, but its 101, which may
 * be said in other words. */
static void put_heads(const struct replay_connection *c, enum side side,
                      struct buf *out)
{
    for (uint32_t i = 0; i < c->step_count; i++) {
        const struct replay_step *s = &c->steps[i];
        bool shakes = s->kind == REPLAY_RESPONSE && c->handshake != REPLAY_NONE &&
                      i == c->exchanges[c->handshake].response;

        if (s->from == side && s->kind != REPLAY_END && s->kind != REPLAY_FRAME &&
            !shakes) {
            sim_must(buf_put(out, s->bytes));
        }
    }
}

static void check_bytes(struct sim_replay_end *e)
{
    const struct replay_connection *c = e->call->recorded;
    struct bytes said = buf_bytes(&e->ear.all);
    struct buf want = { 0 };

    put_heads(c, e->side, &want);
    if (e->ear.hears && e->side == SERVER) {
        said = bytes_first(said, want.len);
    } else if (e->ear.hears) {
        said = bytes_first(said, e->ear.frames_at);
    }
    if (!bytes_equal(said, buf_bytes(&want))) {
        sim_replay_wrong(e->call->world,
                         "connection %u: what %s says (%zu) is not the tape's (%zu)",
                         c->number, side_name(e->side), said.len, want.len);
    }
    buf_deinit(&want);
}

static void check_messages(struct sim_replay_end *e)
{
    const struct replay_connection *c = e->call->recorded;
    struct buf want = { 0 };

    for (uint32_t i = c->first[e->side]; i != REPLAY_NONE; i = c->messages[i].next) {
        const struct replay_message *m = &c->messages[i];
        uint8_t head[2] = { m->opcode,
                            m->compressed ? CAPTURE_INFLATED : CAPTURE_PLAIN };
        uint64_t len = m->payload.len;

        sim_must(buf_put(&want, bytes_make(head, sizeof(head))));
        sim_must(buf_put(&want, bytes_make(&len, sizeof(len))));
        sim_must(buf_put(&want, m->payload));
    }
    if (!bytes_equal(buf_bytes(&want), buf_bytes(&e->ear.texts))) {
        sim_replay_wrong(e->call->world,
                         "connection %u: %s says %zu messages, not the tape's %llu",
                         c->number, side_name(e->side), e->ear.count,
                         (unsigned long long)c->count[e->side]);
    }
    buf_deinit(&want);
}

void sim_ear_check_whole(struct sim_replay_end *e)
{
    check_bytes(e);
    if (e->ear.hears) {
        check_messages(e);
    } else if (e->call->recorded->count[e->side] > 0) {
        sim_replay_wrong(e->call->world, "%s never came to speak in frames",
                         side_name(e->side));
    }
}
