#include "proxy/faults.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { INVALID_DATA = 1007, MESSAGE_TOO_BIG = 1009 }; /* RFC 6455, 7.4.1 */

/* A message that overtakes another is not held for others itself. */
static void settle_order(struct proxy_session *s, enum side from)
{
    struct inject_verdict *v = &s->faults->verdict;

    if (proxy_held_of(s, from)->overtaken_count == 0) {
        return;
    }
    v->reorder = 0;
    for (size_t i = 0; i < v->fired_count; i++) {
        if (v->fired[i].rule->act.action == INJECT_REORDER) {
            v->fired[i].failed = true;
            v->fired[i].why = "it goes before a message that waits already";
        }
    }
}

static struct bytes payload_of(const struct inject_verdict *v,
                               const struct proxy_judged *j,
                               const struct inject_out *out)
{
    if (out->original) {
        return j->payload;
    }
    return out->len == 0 ? (struct bytes){ 0 }
                         : bytes_make(v->bytes.at + out->at, out->len);
}

/* A compressed message that others overtake is compressed when its turn has come. */
static bool goes_later(const struct proxy_session *s, const struct proxy_judged *j)
{
    const struct inject_verdict *v = &s->faults->verdict;

    return j->compressed && v->reorder > 0 && v->out_count > 0 && v->stall == NULL;
}

static int build_one(struct proxy_session *s, const struct proxy_judged *j,
                     const struct inject_out *out, struct buf *wire)
{
    if (out->original && !j->compressed) {
        return buf_put(wire, buf_bytes(&j->gather->raw));
    }
    return proxy_resend(s, j->from, out, payload_of(&s->faults->verdict, j, out),
                        j->compressed, wire);
}

/* A message inserted at a control frame cannot go into the message around that frame:
 * it goes behind, as long as that is not too much. */
static int put_in_place(struct proxy_session *s, const struct proxy_judged *j,
                        const struct inject_out *out, struct buf *wire)
{
    struct proxy_held *h = proxy_held_of(s, j->from);
    bool is_data = (out->kind & (INJECT_TEXT | INJECT_BINARY)) != 0;

    if (!is_data || j->gather != &h->control || !h->message.on) {
        return build_one(s, j, out, wire);
    }
    if (h->behind.len > PROXY_HIGH_WATER) {
        return proxy_tap_note(s->shared->tap, s->number, j->now_ns,
                              "too many messages wait for the end of the one that is "
                              "under way: this one is not inserted");
    }
    if (h->behind.len == 0) {
        h->behind_cause = s->faults->verdict.fired[0].rule->name;
    }
    return build_one(s, j, out, &h->behind);
}

static int build(struct proxy_session *s, const struct proxy_judged *j,
                 struct buf *wire)
{
    struct proxy_held *h = proxy_held_of(s, j->from);
    const struct inject_verdict *v = &s->faults->verdict;
    bool same = v->out_count == 1 && v->out[0].original;
    int r = 0;

    if (same && (!h->recodes || !j->compressed)) {
        return buf_put(wire, buf_bytes(&j->gather->raw));
    }
    h->recodes = h->recodes || j->compressed;
    for (size_t i = 0; r == 0 && i < v->out_count; i++) {
        r = put_in_place(s, j, &v->out[i], wire);
    }
    return r;
}

static int record(struct proxy_session *s, const struct proxy_judged *j,
                  struct bytes wire)
{
    const struct inject_verdict *v = &s->faults->verdict;
    int r = 0;

    for (size_t i = 0; r == 0 && i < v->fired_count; i++) {
        r = proxy_faults_record(s, &v->fired[i], j->from, j->kind, j->now_ns);
    }
    if (r == 0 && wire.len > 0 &&
        ((proxy_held_of(s, j->from)->recodes && j->compressed) ||
         !bytes_equal(wire, buf_bytes(&j->gather->raw)))) {
        r = proxy_tap_sent(s->shared->tap, s->number, j->now_ns, side_other(j->from),
                           v->fired_count > 0 ? v->fired[0].rule->name : "recompressed",
                           wire);
    }
    return r;
}

static int stall(struct proxy_session *s, const struct proxy_judged *j,
                 struct bytes wire)
{
    int64_t for_ns = s->faults->verdict.stall->rule->act.for_ns;
    int64_t until = for_ns < 0 ? PROXY_LINE_NEVER : j->now_ns + for_ns;
    size_t half = (wire.len + 1) / 2;
    int r = proxy_held_queue(s, j->from, bytes_first(wire, half), j->now_ns, false,
                             j->now_ns);

    proxy_held_of(s, j->from)->line.torn = true;
    return r == 0 ? proxy_held_queue(s, j->from, bytes_from(wire, half), until, true,
                                     j->now_ns)
                  : r;
}

/* The connection ends where the message would have gone: behind those that are delayed.
 */
static int end_behind(struct proxy_session *s, const struct proxy_judged *j,
                      const struct inject_rule *rule)
{
    struct proxy_held *h = proxy_held_of(s, j->from);
    int r = proxy_held_follow(s, j->from, true, j->now_ns);

    if (r < 0) {
        return r;
    }
    h->ending = rule;
    h->ending_at = j->now_ns + s->faults->verdict.delay_ns;
    return proxy_held_release(s, j->from, j->now_ns);
}

static int send_judged(struct proxy_session *s, const struct proxy_judged *j,
                       struct bytes wire)
{
    int64_t go_at = j->now_ns + s->faults->verdict.delay_ns;
    bool is_data = (j->kind & (INJECT_TEXT | INJECT_BINARY)) != 0;
    int r = 0;

    if (j->kind == INJECT_CLOSE) {
        r = proxy_held_follow(s, j->from, true, j->now_ns);
        s->legs[side_other(j->from)].close_passed |= wire.len > 0;
    }
    if (r == 0) {
        r = proxy_held_queue(s, j->from, wire, go_at, true, j->now_ns);
    }
    return r == 0 && is_data && wire.len > 0
               ? proxy_held_follow(s, j->from, false, j->now_ns)
               : r;
}

static int let_overtake(struct proxy_session *s, const struct proxy_judged *j,
                        struct bytes wire)
{
    struct proxy_held *h = proxy_held_of(s, j->from);
    const struct inject_verdict *v = &s->faults->verdict;
    struct proxy_overtaken how = { .left = v->reorder,
                                   .cause = v->fired[0].rule->name };
    int r = 0;

    if (!goes_later(s, j)) {
        return proxy_held_overtake(h, wire, &how);
    }
    h->recodes = true;
    how.is_payload = true;
    for (size_t i = 0; r == 0 && i < v->out_count; i++) {
        how.out = v->out[i];
        r = proxy_held_overtake(h, payload_of(v, j, &v->out[i]), &how);
    }
    return r;
}

static int perform(struct proxy_session *s, const struct proxy_judged *j,
                   struct bytes wire)
{
    const struct inject_verdict *v = &s->faults->verdict;
    int r;

    if (v->stall != NULL) {
        r = stall(s, j, wire);
        return r == 0 ? proxy_held_follow(s, j->from, false, j->now_ns) : r;
    }
    if (v->reorder > 0 && v->out_count > 0) {
        return let_overtake(s, j, wire);
    }
    r = send_judged(s, j, wire);
    if (r == 0 && v->close != NULL) {
        return end_behind(s, j, v->close->rule);
    }
    if (r == 0 && v->abort != NULL) {
        return end_behind(s, j, v->abort->rule);
    }
    return r;
}

/* The message itself, in whatever way its direction goes by now. */
static int pass_as_it_is(struct proxy_session *s, const struct proxy_judged *j)
{
    struct inject_out out = { .kind = j->kind, .original = true };
    struct buf wire = { 0 };
    int r;

    if (!proxy_held_of(s, j->from)->recodes || !j->compressed || j->opaque) {
        return proxy_held_queue(s, j->from, buf_bytes(&j->gather->raw), j->now_ns, true,
                                j->now_ns);
    }
    r = proxy_resend(s, j->from, &out, j->payload, true, &wire);
    if (r == 0) {
        r = proxy_tap_sent(s->shared->tap, s->number, j->now_ns, side_other(j->from),
                           "recompressed", buf_bytes(&wire));
    }
    if (r == 0) {
        r = proxy_held_queue(s, j->from, buf_bytes(&wire), j->now_ns, true, j->now_ns);
    }
    buf_deinit(&wire);
    return r;
}

static const char *why_opaque(const struct proxy_session *s, enum side from)
{
    return proxy_held_of(s, from)->late
               ? "the message cannot be decompressed: no rule looked at this direction "
                 "from its first message on"
               : "the message cannot be decompressed";
}

/* Rules changed this direction, and what follows cannot be compressed anew. Behind what
 * is delayed, stalled or overtaken. */
static int close_stuck(struct proxy_session *s, const struct proxy_judged *j)
{
    unsigned code = j->oversize ? MESSAGE_TOO_BIG : INVALID_DATA;
    const char *reason = j->oversize
                             ? "a message over 64M cannot be compressed anew"
                             : "a message that cannot be decompressed cannot be "
                               "compressed anew";
    int r;

    static_assert(PROXY_RECODE_MAX == 64 << 20, "the words name it");

    proxy_line_flush(&proxy_held_of(s, j->from)->line);
    r = proxy_held_release(s, j->from, j->now_ns);
    if (r == 0 && s->state == PROXY_OPEN) {
        r = proxy_held_follow(s, j->from, true, j->now_ns);
    }
    return r == 0 ? proxy_faults_close(s, j->from, code, reason, j->now_ns) : r;
}

/* What cannot be decoded is passed as it came; the rules that might have held are
 * named. */
int proxy_judge_escape(struct proxy_session *s, const struct proxy_judged *j)
{
    struct inject_fired fired[INJECT_FIRED_MAX];
    size_t count = inject_on_oversize(s->faults->connection, j->from, j->kind,
                                      proxy_faults_time(s, j->now_ns), fired);
    int r = 0;

    if (j->opaque && proxy_held_of(s, j->from)->recodes &&
        (j->gather->first & WIRE_RSV1) != 0) {
        return close_stuck(s, j);
    }
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (j->opaque && !j->oversize) {
            fired[i].why = why_opaque(s, j->from);
        }
        r = proxy_faults_record(s, &fired[i], j->from, j->kind, j->now_ns);
    }
    return r == 0 ? pass_as_it_is(s, j) : r;
}

/* Decode a compressed payload onto `plain`. */
static int decode(struct proxy_session *s, struct proxy_judged *j, struct buf *plain)
{
    struct proxy_held *h = proxy_held_of(s, j->from);
    uint64_t limit =
        h->recodes ? PROXY_RECODE_MAX : inject_max_message(s->faults->connection);
    int r;

    if (!j->compressed) {
        return 0;
    }
    if (h->failed || h->inflate == NULL) {
        j->opaque = true;
        return 0;
    }
    r = wire_inflate_message(h->inflate, j->payload, (size_t)limit, plain);
    if (r == WIRE_INFLATE_CORRUPT) {
        h->failed = true;
    }
    j->opaque = r > 0;
    j->oversize = r == WIRE_INFLATE_LIMIT ||
                  plain->len > inject_max_message(s->faults->connection);
    j->payload = buf_bytes(plain);
    return r < 0 ? r : 0;
}

int proxy_judge(struct proxy_session *s, struct proxy_judged *j)
{
    struct buf plain = { 0 }, wire = { 0 };
    int r;

    j->payload = buf_bytes(&j->gather->payload);
    j->compressed = s->faults->deflate.agreed && (j->gather->first & WIRE_RSV1) != 0 &&
                    (j->kind & (INJECT_TEXT | INJECT_BINARY)) != 0;
    r = decode(s, j, &plain);
    if (r == 0 && (j->opaque || j->oversize)) {
        r = proxy_judge_escape(s, j);
    } else if (r == 0) {
        r = inject_on_message(s->faults->connection, j->from, j->kind, j->payload,
                              proxy_faults_time(s, j->now_ns), &s->faults->verdict);
        settle_order(s, j->from);
        r = r == 0 && !goes_later(s, j) ? build(s, j, &wire) : r;
        r = r == 0 ? record(s, j, buf_bytes(&wire)) : r;
        r = r == 0 ? perform(s, j, buf_bytes(&wire)) : r;
    }
    buf_deinit(&plain);
    buf_deinit(&wire);
    return r;
}
