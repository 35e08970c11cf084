#include "tests/unit/replay/align_rig.h"

#include "wire/frame.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

void rig_init(struct align_rig *r)
{
    *r = (struct align_rig){
        .connection = { .first = { REPLAY_NONE, REPLAY_NONE } },
    };
}

void rig_deinit(struct align_rig *r)
{
    for (uint32_t i = 0; r->stood != NULL && i < r->connection.message_count; i++) {
        buf_deinit(&r->stood[i]);
    }
    replay_align_free(r->align);
    buf_deinit(&r->said);
    free(r->stood);
    free(r->connection.messages);
    free(r->connection.steps);
}

/* ---- the tape ---- */

static void grow(struct align_rig *r)
{
    struct replay_connection *c = &r->connection;

    r->cap = r->cap == 0 ? 64 : r->cap * 2;
    c->messages = realloc(c->messages, r->cap * sizeof(*c->messages));
    c->steps = realloc(c->steps, r->cap * sizeof(*c->steps));
    assert_true(c->messages != NULL && c->steps != NULL);
}

struct replay_message *rig_tape(struct align_rig *r, const char *text)
{
    struct replay_connection *c = &r->connection;
    uint32_t n = c->message_count++;

    if (n == r->cap) {
        grow(r);
    }
    c->step_count++;
    c->steps[n] = (struct replay_step){ .time_ns = n + 1000 };
    c->messages[n] = (struct replay_message){
        .payload = bytes_of(text),
        .number = ++c->count[SERVER],
        .step = n,
        .last_step = n,
        .next = REPLAY_NONE,
        .from = SERVER,
        .opcode = WIRE_OP_TEXT,
        .whole = true,
    };
    if (n == 0) {
        c->first[SERVER] = 0;
    } else {
        c->messages[n - 1].next = n;
    }
    return &c->messages[n];
}

/* Words mean the same text as long as the program runs. */
static const char *text_of(const char *word)
{
    static char texts[4096][64];
    static uint32_t count;
    char text[64], type = word[0];

    if (!islower((unsigned char)type)) {
        snprintf(text, sizeof(text), "%s", word);
    } else if (word[1] == '\0') {
        snprintf(text, sizeof(text), "{\"type\":\"%c\"}", type);
    } else {
        snprintf(text, sizeof(text), "{\"type\":\"%c\",\"n\":%s}", type, word + 1);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0) {
            return texts[i];
        }
    }
    assert_true(count < 4096);
    memcpy(texts[count], text, sizeof(text));
    return texts[count++];
}

static void each_word(struct align_rig *r, const char *words,
                      void (*use)(struct align_rig *r, const char *text))
{
    char copy[4096], *rest = copy, *word;

    snprintf(copy, sizeof(copy), "%s", words);
    while ((word = strsep(&rest, " ")) != NULL) {
        use(r, text_of(word));
    }
}

static void tape_text(struct align_rig *r, const char *text)
{
    rig_tape(r, text);
}

void rig_tape_words(struct align_rig *r, const char *words)
{
    each_word(r, words, tape_text);
}

/* ---- what is told ---- */

static void say(struct align_rig *r, struct bytes text)
{
    assert_int_equal(buf_put(&r->said, text), 0);
}

static void say_values(struct align_rig *r, const struct replay_event *e)
{
    say(r, bytes_of(": "));
    say(r, e->before_present ? e->before : bytes_of("nothing"));
    say(r, bytes_of(" -> "));
    say(r, e->after_present ? e->after : bytes_of("nothing"));
}

static void hear(void *owner, struct replay_event *e)
{
    struct align_rig *r = owner;
    char words[64] = "";

    r->events++;
    assert_int_equal(e->from, SERVER);
    switch ((int)e->kind) {
    case REPLAY_EVENT_DIFFERENCE:
        snprintf(words, sizeof(words), "%d ", (int)e->message);
        say(r, bytes_of(words));
        say(r, e->path);
        say_values(r, e);
        break;
    case REPLAY_EVENT_MISSING:
        snprintf(words, sizeof(words), "%d missing", (int)e->message);
        say(r, bytes_of(words));
        assert_true(
            bytes_equal(e->before, r->connection.messages[e->message - 1].payload));
        break;
    case REPLAY_EVENT_EXTRA:
        snprintf(words, sizeof(words), "extra after %d: ", (int)e->message);
        say(r, bytes_of(words));
        say(r, e->after);
        break;
    case REPLAY_EVENT_ORDER:
        snprintf(words, sizeof(words), "%d before %d", (int)e->message, (int)e->other);
        say(r, bytes_of(words));
        break;
    case REPLAY_EVENT_NOTE:
        snprintf(words, sizeof(words), "%d note ", (int)e->message);
        say(r, bytes_of(words));
        say(r, e->text);
        break;
    default:
        fail_msg("event %d", (int)e->kind);
    }
    say(r, bytes_of("\n"));
}

static int stands(void *owner, uint32_t index, struct bytes payload,
                  int64_t recorded_ns)
{
    struct align_rig *r = owner;

    assert_int_equal(recorded_ns, index + 1000);
    buf_clear(&r->stood[index]);
    return buf_put(&r->stood[index], payload);
}

/* ---- live ---- */

static void start(struct align_rig *r)
{
    struct replay_align_config config = {
        .stage = &r->stage,
        .connection = &r->connection,
        .from = SERVER,
        .tell = hear,
        .stands = stands,
        .owner = r,
    };

    if (r->align == NULL) {
        r->stood = calloc(r->connection.message_count + 1, sizeof(*r->stood));
        assert_non_null(r->stood);
        assert_int_equal(replay_align_new(&config, &r->align), 0);
    }
}

static void put(struct align_rig *r, struct replay_text live, bool readable)
{
    start(r);
    assert_int_equal(replay_align_put(r->align, live, readable), 0);
    if (r->align->block != NULL && r->align->block->live_count > r->most_held) {
        r->most_held = r->align->block->live_count;
    }
}

void rig_put(struct align_rig *r, struct replay_text live)
{
    put(r, live, true);
}

void rig_put_unread(struct align_rig *r, const char *text)
{
    put(r, (struct replay_text){ WIRE_OP_TEXT, bytes_of(text) }, false);
}

void rig_put_text(struct align_rig *r, const char *text)
{
    rig_put(r, (struct replay_text){ WIRE_OP_TEXT, bytes_of(text) });
}

void rig_put_words(struct align_rig *r, const char *words)
{
    each_word(r, words, rig_put_text);
}

void rig_finish(struct align_rig *r)
{
    start(r);
    assert_int_equal(replay_align_finish(r->align), 0);
}

bool rig_reached(struct align_rig *r, uint64_t count)
{
    bool reached;

    start(r);
    assert_int_equal(replay_align_reached(r->align, count, &reached), 0);
    return reached;
}

void rig_said(struct align_rig *r, const char *expected)
{
    assert_int_equal(buf_put_byte(&r->said, '\0'), 0);
    assert_string_equal((const char *)r->said.at, expected);
    buf_clear(&r->said);
}

void rig_stands(struct align_rig *r, uint64_t number, const char *word)
{
    struct bytes text = bytes_of(word[0] == '\0' ? "" : text_of(word));

    assert_true(bytes_equal(buf_bytes(&r->stood[number - 1]), text));
}
