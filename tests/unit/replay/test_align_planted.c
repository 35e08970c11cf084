#include "tests/unit/replay/align_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * Random tapes with one change planted: whatever the tape, it is one line. Chance is a
 * fixed sequence.
 */

enum { LEN_MAX = 700, WORD = 40 };

enum planted { FIELD, DROP, EXTRA, SWAP, MOVE, PLANTED_COUNT };

static const char *const names[] = { "field", "drop", "extra", "swap", "move" };

struct chance {
    uint64_t state;
};

static uint32_t below(struct chance *c, uint32_t limit)
{
    c->state = c->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(c->state >> 33) % limit;
}

/* Messages by their texts; those of a tape and then live. */
struct talk {
    char text[LEN_MAX + 1][WORD];
    uint32_t len;
};

static void make(struct talk *t, struct chance *c, uint32_t len, uint32_t kinds,
                 uint32_t numbers)
{
    t->len = len;
    for (uint32_t i = 0; i < len; i++) {
        snprintf(t->text[i], WORD, "{\"type\":\"k%u\",\"n\":%u}", below(c, kinds),
                 numbers == 0 ? i : below(c, numbers));
    }
}

static void take(struct talk *t, uint32_t at, char out[WORD])
{
    memcpy(out, t->text[at], WORD);
    memmove(t->text[at], t->text[at + 1], (t->len - at - 1) * sizeof(t->text[0]));
    t->len--;
}

static void insert(struct talk *t, uint32_t at, const char in[WORD])
{
    memmove(t->text[at + 1], t->text[at], (t->len - at) * sizeof(t->text[0]));
    memcpy(t->text[at], in, WORD);
    t->len++;
}

/* A value that no message of the tape has. */
static void change_field(char text[WORD])
{
    char copy[WORD];

    memcpy(copy, text, WORD);
    copy[strcspn(copy, ",")] = '\0';
    snprintf(text, WORD, "%.*s,\"n\":99999}", WORD - 12, copy);
}

/* True when the talk is another one now. */
static bool plant(struct talk *t, struct chance *c, enum planted what, uint32_t at)
{
    struct talk was = *t;
    char text[WORD] = "{\"type\":\"x\"}";

    switch (what) {
    case FIELD:
        change_field(t->text[at]);
        break;
    case DROP:
        take(t, at, text);
        break;
    case EXTRA:
        if (below(c, 2) == 0) {
            memcpy(text, t->text[at], WORD);
            change_field(text);
        }
        insert(t, at, text);
        break;
    case SWAP:
        at = at == 0 ? 1 : at;
        take(t, at, text);
        insert(t, at - 1, text);
        break;
    case MOVE:
        take(t, at, text);
        insert(t, below(c, 2) == 0 ? at / 2 : (at + t->len) / 2, text);
        break;
    case PLANTED_COUNT:
        break;
    }
    return t->len != was.len || memcmp(t->text, was.text, sizeof(t->text)) != 0;
}

/* Gates are asked for on the way: what has come must have come. */
static void play(struct align_rig *r, const struct talk *tape, const struct talk *live,
                 struct chance *c)
{
    uint64_t reached = 0;

    rig_init(r);
    for (uint32_t i = 0; i < tape->len; i++) {
        rig_tape(r, tape->text[i]);
    }
    for (uint32_t i = 0; i < live->len; i++) {
        rig_put_text(r, live->text[i]);
        if (below(c, 3) == 0) {
            uint64_t count = below(c, i + 3);

            if (rig_reached(r, count) && count > reached) {
                reached = count;
            }
            assert_true(rig_reached(r, reached));
        }
    }
    rig_finish(r);
}

static void explain(const struct align_rig *r, const char *what, uint32_t seed)
{
    fail_msg("%s, seed %u: %d lines:\n%.*s", what, seed, (int)r->events,
             (int)r->said.len, (const char *)r->said.at);
}

/* A message that moved past others like it looks like one extra and one missing until
 * it is too late to say otherwise. */
static uint32_t most_lines(enum planted what, uint32_t numbers)
{
    return what == MOVE && numbers > 0 ? 2 : 1;
}

static void one_line(enum planted what, uint32_t seed, uint32_t kinds, uint32_t numbers)
{
    static struct talk tape, live;
    struct chance c = { seed };
    struct align_rig r;
    uint32_t len = 2 + below(&c, 60);
    bool differs;

    (void)below(&c, 2);
    make(&tape, &c, len, kinds, numbers);
    live = tape;
    differs = plant(&live, &c, what, below(&c, len));
    play(&r, &tape, &live, &c);
    if ((r.events != 0) != differs || r.events > most_lines(what, numbers)) {
        explain(&r, names[what], seed);
    }
    rig_deinit(&r);
}

static void distinct_messages(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        for (int what = FIELD; what < PLANTED_COUNT; what++) {
            one_line((enum planted)what, seed, 1 + seed % 5, 0);
        }
    }
}

static void messages_that_repeat(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 400; seed++) {
        for (int what = FIELD; what < PLANTED_COUNT; what++) {
            one_line((enum planted)what, seed, 5, 2);
        }
    }
}

/* Changes that are apart are told one by one, and only that many are held. */
static void many_changes(void **state)
{
    static struct talk tape, live;

    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct chance c = { seed };
        struct align_rig r;
        uint32_t planted = 0;

        make(&tape, &c, LEN_MAX - 100, 4, 0);
        live = tape;
        for (uint32_t at = tape.len - 20; at > 20; at -= 20) {
            enum planted what = (enum planted)below(&c, SWAP + 1);

            planted += plant(&live, &c, what == DROP ? FIELD : what, at);
        }
        play(&r, &tape, &live, &c);
        if (r.events != planted || r.most_held > 4) {
            explain(&r, "many", seed);
        }
        rig_deinit(&r);
    }
}

/* Whatever comes, every message of the tape and every live one is accounted for once:
 * as many are paired as there are of the tape but the missing, and live but the extra.
 */
static void anything(void **state)
{
    static struct talk tape, live;

    (void)state;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct chance c = { seed };
        struct align_rig r;
        uint32_t missing = 0, extra = 0, lens = seed % 7 == 0 ? LEN_MAX : 40;

        make(&tape, &c, below(&c, lens), 1 + seed % 4, 1 + seed % 9);
        make(&live, &c, below(&c, lens), 1 + seed % 3, 1 + seed % 11);
        play(&r, &tape, &live, &c);
        for (size_t i = 0; i + 9 < r.said.len; i++) {
            missing += memcmp(r.said.at + i, " missing\n", 9) == 0;
            extra += memcmp(r.said.at + i, "extra af", 8) == 0;
        }
        assert_int_equal(replay_align_awaits(r.align), REPLAY_NONE);
        if (r.said.len >= 9 &&
            memcmp(r.said.at + r.said.len - 9, " missing\n", 9) == 0) {
            missing++;
        }
        assert_int_equal(tape.len - missing, live.len - extra);
        rig_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distinct_messages),
        cmocka_unit_test(messages_that_repeat),
        cmocka_unit_test(many_changes),
        cmocka_unit_test(anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
