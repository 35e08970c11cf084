/*
 * Comparing two texts: what is equal is equal both ways round, to itself, and of one
 * kind; differences are told if and only if there are any, and lie in the texts; bytes
 * that are the same are the same by every rule.
 *
 * The input: a byte of options, a path to ignore up to a 0, a text up to a 0, a text.
 */
#include "replay/compare.h"
#include "replay/volatility.h"
#include "tests/fuzz/target.h"
#include "wire/frame.h"

enum {
    MATCH = 3,       /* bits of the first byte */
    FROM_SERVER = 4, /* the side the texts are of */
    LEFT_BINARY = 8,
    RIGHT_BINARY = 16,
};

struct input {
    struct replay_rules rules;
    struct inject_path *path;
    enum side from;
    struct replay_text left, right;
};

struct found {
    struct bytes left, right;
    size_t count;
};

static struct bytes take_word(struct bytes *in)
{
    size_t at = bytes_find(*in, bytes_make("", 1));
    struct bytes word = bytes_first(*in, at);

    *in = bytes_from(*in, at < in->len ? at + 1 : at);
    return word;
}

static void read_input(struct input *i, struct bytes in)
{
    unsigned options = in.at[0];
    struct bytes path;
    struct err e;
    size_t column;

    in = bytes_from(in, 1);
    path = take_word(&in);
    i->rules.match = (enum replay_match)((options & MATCH) % 3);
    if (inject_path_new(path, &i->path, &e, &column) == 0) {
        i->rules.ignore[i->rules.ignore_count++] = i->path;
    }
    i->from = (options & FROM_SERVER) != 0 ? SERVER : CLIENT;
    i->left.opcode = (options & LEFT_BINARY) != 0 ? WIRE_OP_BINARY : WIRE_OP_TEXT;
    i->right.opcode = (options & RIGHT_BINARY) != 0 ? WIRE_OP_BINARY : WIRE_OP_TEXT;
    i->left.payload = take_word(&in);
    i->right.payload = in;
}

/* ---- differences ---- */

static void must_be_in(struct bytes part, struct bytes whole, bool present)
{
    must(present || part.len == 0);
    must(part.len == 0 ||
         (part.at >= whole.at && part.at + part.len <= whole.at + whole.len));
}

static int differs(void *owner, const struct replay_difference *d)
{
    struct found *f = owner;

    f->count++;
    must(d->before_present || d->after_present);
    must_be_in(d->before, f->left, d->before_present);
    must_be_in(d->after, f->right, d->after_present);
    must(d->path.len > 0 || (d->before_present && d->after_present));
    return 0;
}

static bool equal(struct replay_compare *c, const struct input *i,
                  struct replay_text left, struct replay_text right)
{
    struct found f = { left.payload, right.payload, 0 };
    int first = replay_compare(c, i->from, left, right, NULL, NULL);
    int all = replay_compare(c, i->from, left, right, differs, &f);

    must(first == 0 || first == REPLAY_DIFFERS);
    must(first == all);
    must((f.count == 0) == (all == 0));
    return first == 0;
}

static bool same_kind(struct replay_compare *c, struct replay_text left,
                      struct replay_text right)
{
    bool same = false, again = false;

    must(replay_compare_kind(c, left, right, &same) == 0);
    must(replay_compare_kind(c, right, left, &again) == 0);
    must(same == again);
    return same;
}

static void check(const struct input *i)
{
    struct replay_compare c;
    bool is_equal, is_same;

    replay_compare_init(&c, &i->rules);
    is_equal = equal(&c, i, i->left, i->right);
    must(is_equal == equal(&c, i, i->right, i->left));
    must(equal(&c, i, i->left, i->left));
    must(equal(&c, i, i->right, i->right));
    must(same_kind(&c, i->left, i->left));
    is_same = same_kind(&c, i->left, i->right);
    must(is_same || !is_equal);
    must(is_equal || i->rules.match != REPLAY_MATCH_ANY);
    replay_compare_deinit(&c);
}

/* What is exactly equal is equal as JSON as well. */
static void check_strictness(struct input *i)
{
    struct replay_compare c;
    bool is_equal[2];

    for (int n = 0; n < 2; n++) {
        i->rules.match = n == 0 ? REPLAY_MATCH_EXACT : REPLAY_MATCH_JSON;
        replay_compare_init(&c, &i->rules);
        is_equal[n] = equal(&c, i, i->left, i->right);
        replay_compare_deinit(&c);
    }
    must(is_equal[1] || !is_equal[0]);
}

/* ---- shapes ---- */

static void check_shapes(struct bytes text)
{
    struct wire_json j;
    struct wire_json_token t;

    wire_json_init(&j, text);
    while (wire_json_next(&j, &t) == 0) {
        struct bytes token = bytes_make(text.at + t.from, t.to - t.from);
        enum replay_shape shape = replay_shape_of(token);

        must(shape == REPLAY_SHAPE_NONE || replay_shape_name(shape) != NULL);
        must(shape == REPLAY_SHAPE_NONE || t.kind == WIRE_JSON_STRING ||
             t.kind == WIRE_JSON_KEY || t.kind == WIRE_JSON_NUMBER);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct input i = { 0 };

    if (len == 0) {
        return 0;
    }
    read_input(&i, bytes_make(data, len));
    check(&i);
    check_strictness(&i);
    check_shapes(i.left.payload);
    check_shapes(i.right.payload);
    inject_path_free(i.path);
    return 0;
}
