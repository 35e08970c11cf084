#include "replay/live_values.h"

#include "base/alloc.h"
#include "base/crc32c.h"
#include "replay/live.h"

#include <errno.h>

/* ---- words ---- */

/* ASCII letters, digits, and letters of the scripts that part words by blanks: U+00C0
 * to U+1FFF, by their first byte in UTF-8. */
static bool begins_word(uint8_t byte)
{
    static const uint64_t bits[4] = {
        UINT64_C(0x03ff000000000000),    /* 0..9 */
        UINT64_C(0x07fffffe07fffffe),    /* A..Z a..z */
        0, UINT64_C(0x00000003fffffff8), /* c3..e1 */
    };

    return (bits[byte >> 6] >> (byte & 63) & 1) != 0;
}

/* What joins words to one, but around ids. */
static bool is_joint(uint8_t byte)
{
    return byte == '_' || byte == '-';
}

/* After the character at `at`. */
static size_t past(struct bytes text, size_t at)
{
    at++;
    while (at < text.len && (text.at[at] & 0xc0) == 0x80) {
        at++;
    }
    return at;
}

static size_t word_end(struct bytes text, size_t at)
{
    while (at < text.len && begins_word(text.at[at])) {
        at = text.at[at] < 0x80 ? at + 1 : past(text, at);
    }
    return at;
}

static size_t word_begin(struct bytes text, size_t at)
{
    while (at < text.len && !begins_word(text.at[at])) {
        at = past(text, at);
    }
    return at;
}

/* The first byte of the character before `at`, which is not 0. */
static uint8_t before(struct bytes text, size_t at)
{
    at--;
    while (at > 0 && (text.at[at] & 0xc0) == 0x80) {
        at--;
    }
    return text.at[at];
}

/* See live.h: UUIDs, hex, and others of 8 bytes with a digit. */
static bool is_id(struct bytes text)
{
    bool digit = false, hex = true;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i], low = c | 0x20;

        if (c <= ' ' || c > '~') {
            return false;
        }
        digit = digit || (c >= '0' && c <= '9');
        hex = hex && ((c >= '0' && c <= '9') || (low >= 'a' && low <= 'f'));
    }
    return text.len >= REPLAY_LIVE_ID && (digit || hex);
}

static struct bytes part(struct bytes text, size_t from, size_t to)
{
    return bytes_make(text.at + from, to - from);
}

/* ---- slots ---- */

static uint32_t home(uint32_t hash, uint32_t mask)
{
    return (uint32_t)(((uint64_t)hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;
}

static uint32_t hash_of(struct bytes text, uint32_t key)
{
    return crc32c(key, text);
}

/* The slot of a whole value, or the free one where it belongs. */
static struct replay_live_slot *whole_slot(struct replay_live_values *v, uint32_t hash,
                                           uint32_t key, struct bytes text)
{
    struct replay_live_slot *slots = v->whole.at;
    uint32_t i = home(hash, v->whole.mask);

    for (; slots[i].index != REPLAY_NO_LIVE; i = (i + 1) & v->whole.mask) {
        const struct replay_live_value *at = &v->at[slots[i].index];

        v->work++;
        if (slots[i].hash == hash && at->key == key && bytes_equal(at->text, text)) {
            break;
        }
    }
    return &slots[i];
}

/* Of a core. Hash and number of words are enough: the text is compared later. */
static struct replay_live_slot *core_slot(struct replay_live_values *v, uint32_t hash,
                                          uint32_t words)
{
    struct replay_live_slot *slots = v->core.at;
    uint32_t i = home(hash, v->core.mask);

    for (; slots[i].index != REPLAY_NO_LIVE; i = (i + 1) & v->core.mask) {
        v->work++;
        if (slots[i].hash == hash && v->at[slots[i].index].core_words == words) {
            break;
        }
    }
    return &slots[i];
}

/* Only values that differ are in the slots of one table, so a free one will do. */
static void move_in(struct replay_live_slots *s, struct replay_live_slot slot)
{
    uint32_t i = home(slot.hash, s->mask);

    while (s->at[i].index != REPLAY_NO_LIVE) {
        i = (i + 1) & s->mask;
    }
    s->at[i] = slot;
}

/* Room for one more. */
static int widen(struct replay_live_slots *s)
{
    uint32_t count = s->at == NULL ? 0 : s->mask + 1;
    struct replay_live_slots wide = { .used = s->used };

    if ((s->used + 1) * 2 <= count) {
        return 0;
    }
    wide.mask = count == 0 ? 63 : count * 2 - 1;
    wide.at = alloc_get(((size_t)wide.mask + 1) * sizeof(*wide.at));
    if (wide.at == NULL) {
        return -ENOMEM;
    }
    memset(wide.at, 0xff, ((size_t)wide.mask + 1) * sizeof(*wide.at));
    for (uint32_t i = 0; i < count; i++) {
        if (s->at[i].index != REPLAY_NO_LIVE) {
            move_in(&wide, s->at[i]);
        }
    }
    alloc_free(s->at);
    *s = wide;
    return 0;
}

/* ---- words that longer cores begin with ---- */

static bool may_go_on(const struct replay_live_values *v, uint32_t first_hash)
{
    uint32_t bit = home(first_hash, REPLAY_LIVE_BEGINS - 1);

    return (v->begins[bit / 64] >> (bit % 64) & 1) != 0;
}

static void note_beginning(struct replay_live_values *v,
                           const struct replay_live_value *value)
{
    size_t end = word_end(value->text, value->core_from);
    uint32_t hash = crc32c(0, part(value->text, value->core_from, end));
    uint32_t bit = home(hash, REPLAY_LIVE_BEGINS - 1);

    v->begins[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* ---- putting ---- */

static void find_core(struct replay_live_value *value)
{
    struct bytes text = value->text;
    size_t from = word_begin(text, 0), to = from, end;

    value->core_words = 0;
    for (size_t at = from; at < text.len && value->core_words < REPLAY_LIVE_WORDS;) {
        to = word_end(text, at);
        value->core_words++;
        at = word_begin(text, to);
    }
    if (value->core_words == 0) {
        for (from = 0; from < text.len && text.at[from] < 0x80;) {
            from++;
        }
        end = from + REPLAY_LIVE_SIGNS;
        to = end <= text.len ? end : from;
    }
    value->core_from = (uint32_t)from;
    value->core_hash = crc32c(0, part(text, from, to));
}

/* Whether there is anything to find it by. */
static bool has_core(const struct replay_live_value *value)
{
    return value->key == 0 && value->text.len >= REPLAY_LIVE_INSIDE &&
           (value->core_words > 0 ||
            value->core_from + REPLAY_LIVE_SIGNS <= value->text.len);
}

/* Needs room in the slots. */
static void put_core(struct replay_live_values *v, uint32_t index)
{
    struct replay_live_value *value = &v->at[index];
    struct replay_live_slot *slot;

    find_core(value);
    if (!has_core(value)) {
        return;
    }
    value->is_id = is_id(value->text);
    slot = core_slot(v, value->core_hash, value->core_words);
    v->core.used += slot->index == REPLAY_NO_LIVE;
    value->alike = slot->index;
    *slot = (struct replay_live_slot){ index, value->core_hash }; /* the latest first */
    v->words |= 1U << value->core_words;
    if (value->core_words > 1) {
        note_beginning(v, value);
    }
}

static int make_room(struct replay_live_values *v)
{
    int r = widen(&v->whole);

    if (r == 0) {
        r = widen(&v->core);
    }
    if (r == 0 && v->count == v->cap) {
        uint32_t cap = v->cap == 0 ? 32 : v->cap * 2;
        struct replay_live_value *at = alloc_resize(v->at, cap * sizeof(*at));

        if (at == NULL) {
            return -ENOMEM;
        }
        v->at = at;
        v->cap = cap;
    }
    return r;
}

static int add(struct replay_live_values *v, const struct replay_live_value *made,
               bool copies)
{
    struct bytes text = made->text;
    char *copy = copies ? alloc_text(text.at, text.len) : NULL;

    if (copies && copy == NULL) {
        return -ENOMEM;
    }
    v->at[v->count] = *made;
    v->at[v->count].copy = copy;
    v->at[v->count].text = copies ? bytes_make(copy, text.len) : text;
    *whole_slot(v, made->hash, made->key, text) =
        (struct replay_live_slot){ v->count, made->hash };
    v->whole.used++;
    put_core(v, v->count++);
    return 0;
}

int replay_live_values_put(struct replay_live_values *v, struct bytes text,
                           uint32_t key, bool copies, uint32_t *index)
{
    struct replay_live_value made = {
        .text = text,
        .key = key,
        .hash = hash_of(text, key),
        .alike = REPLAY_NO_LIVE,
        .last = REPLAY_NO_LIVE,
    };
    int r = make_room(v);
    uint32_t slot;

    if (r < 0) {
        return r;
    }
    slot = whole_slot(v, made.hash, key, text)->index;
    if (slot == REPLAY_NO_LIVE) {
        slot = v->count;
        r = add(v, &made, copies);
        if (r < 0) {
            return r;
        }
    }
    *index = slot;
    return 0;
}

void replay_live_values_deinit(struct replay_live_values *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        alloc_free(v->at[i].copy);
    }
    alloc_free(v->at);
    alloc_free(v->whole.at);
    alloc_free(v->core.at);
    *v = (struct replay_live_values){ 0 };
}

/* ---- finding ---- */

uint32_t replay_live_values_find(struct replay_live_values *v, struct bytes text,
                                 uint32_t key)
{
    return v->count == 0 ? REPLAY_NO_LIVE
                         : whole_slot(v, hash_of(text, key), key, text)->index;
}

/* A search in one text. */
struct search {
    struct replay_live_values *values;
    struct bytes text;
    size_t least; /* nothing begins before it */
    struct replay_live_found best;
};

/* Whether two characters that meet (their first bytes) are of one word; `joined`: _ and
 * - are, too. */
static bool are_one_word(uint8_t x, uint8_t y, bool joined)
{
    return (begins_word(x) || (joined && is_joint(x))) &&
           (begins_word(y) || (joined && is_joint(y)));
}

/* Whether no word goes on before the value, which begins at `from`. <- is no part of
 * one. */
static bool begins_apart(struct bytes text, size_t from, bool id)
{
    if (from == 0 || (from > 1 && memcmp(text.at + from - 2, "<-", 2) == 0)) {
        return true;
    }
    return !are_one_word(before(text, from), text.at[from], !id);
}

/* The same after it, and ->. */
static bool ends_apart(struct bytes text, size_t to, bool id)
{
    if (to == text.len || (to + 1 < text.len && memcmp(text.at + to, "->", 2) == 0)) {
        return true;
    }
    return !are_one_word(before(text, to), text.at[to], !id);
}

/* Whether the value stands where its core is found at `at`. */
static bool stands(const struct search *s, const struct replay_live_value *value,
                   size_t at)
{
    size_t from = at - value->core_from, to = from + value->text.len;

    if (at < s->least + value->core_from || to > s->text.len) {
        return false;
    }
    return memcmp(s->text.at + from, value->text.at, value->text.len) == 0 &&
           begins_apart(s->text, from, value->is_id) &&
           ends_apart(s->text, to, value->is_id);
}

static void try_core(struct search *s, size_t at, uint32_t hash, uint32_t words)
{
    struct replay_live_values *v = s->values;
    uint32_t index = core_slot(v, hash, words)->index;

    for (unsigned n = 0; index != REPLAY_NO_LIVE && n < REPLAY_LIVE_PHRASES; n++) {
        const struct replay_live_value *value = &v->at[index];

        v->work++;
        if (value->text.len > s->best.to - s->best.from && stands(s, value, at)) {
            s->best.from = at - value->core_from;
            s->best.to = s->best.from + value->text.len;
            s->best.value = index;
        }
        index = value->alike;
    }
}

/* Cores that begin with the word at `at`, as long as there are longer ones. */
static void try_words(struct search *s, size_t at)
{
    uint32_t hash = 0, known = s->values->words;
    size_t done = at, begin = at;

    for (unsigned words = 1; begin < s->text.len && known >> words != 0; words++) {
        size_t end = word_end(s->text, begin);

        hash = crc32c(hash, part(s->text, done, end));
        done = end;
        s->values->work++;
        if ((known >> words & 1) != 0) {
            try_core(s, at, hash, words);
        }
        if (words == 1 && !may_go_on(s->values, hash)) {
            return;
        }
        begin = known >> words > 1 ? word_begin(s->text, end) : end;
    }
}

static void try_signs(struct search *s, size_t at)
{
    if ((s->values->words & 1) == 0 || s->text.len - at < REPLAY_LIVE_SIGNS) {
        return;
    }
    s->values->work++;
    try_core(s, at, crc32c(0, part(s->text, at, at + REPLAY_LIVE_SIGNS)), 0);
}

bool replay_live_values_next(struct replay_live_values *v, struct bytes text,
                             size_t from, struct replay_live_found *out)
{
    struct search s = { .values = v, .text = text, .least = from };

    for (size_t at = from; v->words != 0 && at < text.len;) {
        bool word = begins_word(text.at[at]);

        if (word) {
            try_words(&s, at);
        } else if (text.at[at] >= 0x80) {
            try_signs(&s, at);
        }
        if (s.best.to > 0) {
            *out = s.best;
            return true;
        }
        at = word ? word_end(text, at) : past(text, at);
    }
    return false;
}
