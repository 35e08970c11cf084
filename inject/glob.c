#include "inject/glob.h"

#include "wire/json.h"

/* Stands for a byte that is no character: above every code point. */
#define STRAY 0x110000U

/* Text being read; both kinds may be copied to come back to a place. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool json; /* the inside of a JSON string: has escapes */
};

/* ---- characters ---- */

static unsigned tail_len(uint8_t lead)
{
    return lead < 0xc2 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : 0;
}

/* What RFC 3629 leaves out: overlong forms, surrogates, code points past the last. */
static bool is_code_point(uint32_t code, unsigned tail)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };

    return code >= least[tail] && code < STRAY && (code < 0xd800 || code > 0xdfff);
}

static uint32_t plain_character(struct cursor *c)
{
    uint8_t lead = *c->at++;
    unsigned tail = tail_len(lead);
    uint32_t code = lead & (0x3fU >> tail);

    if (lead < 0x80) {
        return lead;
    }
    if (tail == 0 || (size_t)(c->end - c->at) < tail) {
        return STRAY + lead;
    }
    for (unsigned i = 0; i < tail; i++) {
        if ((c->at[i] & 0xc0) != 0x80) {
            return STRAY + lead;
        }
        code = code << 6 | (c->at[i] & 0x3fU);
    }
    if (!is_code_point(code, tail)) {
        return STRAY + lead;
    }
    c->at += tail;
    return code;
}

static uint32_t character(struct cursor *c)
{
    return c->json ? wire_json_character(&c->at, c->end) : plain_character(c);
}

/* ---- sets ---- */

/* A member of a set, its escape taken off. At the end of the pattern: 0. */
static uint32_t member(struct cursor *set)
{
    if (set->end - set->at >= 2 && *set->at == '\\') {
        set->at++;
    }
    return set->at == set->end ? 0 : plain_character(set);
}

static bool is_at(const struct cursor *c, uint8_t byte)
{
    return c->at < c->end && *c->at == byte;
}

/* `set` is after its [, and behind its ] when true is returned; false when it has none.
 * `*hit` says whether `code` is in it. */
static bool read_set(struct cursor *set, uint32_t code, bool *hit)
{
    struct cursor at = *set;
    bool negated = is_at(&at, '!') || is_at(&at, '^');
    bool found = false;

    /* Without a quick look, many of these cost the square of the pattern's length, for
     * each character of a text. */
    if (at.at == at.end || memchr(at.at, ']', (size_t)(at.end - at.at)) == NULL) {
        return false;
    }
    at.at += negated ? 1 : 0;
    for (bool first = true; first || !is_at(&at, ']'); first = false) {
        uint32_t low, high;

        if (at.at == at.end) {
            return false;
        }
        low = high = member(&at);
        if (is_at(&at, '-') && at.end - at.at >= 2 && at.at[1] != ']') {
            at.at++;
            high = member(&at);
        }
        found = found || (code >= low && code <= high);
    }
    set->at = at.at + 1;
    *hit = code < STRAY && found != negated;
    return true;
}

/* ---- matching ---- */

/* Whether the part of the pattern at `p`, no *, fits `code`; moves past it. */
static bool fits(struct cursor *p, uint32_t code)
{
    bool hit;

    if (is_at(p, '?')) {
        p->at++;
        return true;
    }
    if (is_at(p, '[')) {
        p->at++;
        return read_set(p, code, &hit) ? hit : code == '[';
    }
    if (is_at(p, '\\') && p->end - p->at >= 2) {
        p->at++;
    }
    return plain_character(p) == code;
}

static void skip_stars(struct cursor *p)
{
    while (is_at(p, '*')) {
        p->at++;
    }
}

/* Going back to the last * is enough: what an earlier one could take, it can too. */
static bool match(struct cursor p, struct cursor t)
{
    struct cursor star = { 0 }, taken = { 0 };

    while (t.at < t.end) {
        if (is_at(&p, '*')) {
            skip_stars(&p);
            star = p;
            taken = t;
        }
        if (star.at == p.end) {
            return true;
        }
        if (p.at < p.end && fits(&p, character(&t))) {
            continue;
        }
        if (star.at == NULL) {
            return false;
        }
        character(&taken); /* the * takes one more */
        p = star;
        t = taken;
    }
    skip_stars(&p);
    return p.at == p.end;
}

static struct cursor over(struct bytes b)
{
    if (b.len == 0) {
        b = bytes_of("");
    }
    return (struct cursor){ .at = b.at, .end = b.at + b.len };
}

bool inject_glob_match(struct bytes pattern, struct bytes text)
{
    return match(over(pattern), over(text));
}

bool inject_glob_match_json(struct bytes pattern, struct bytes token)
{
    struct cursor t = over(bytes_make(token.at + 1, token.len - 2));

    t.json = true;
    return match(over(pattern), t);
}

/* ---- checking ---- */

/* Reads a member or a range; `end` is the ] of the set. */
static bool goes_backwards(struct cursor *set, const uint8_t *end)
{
    uint32_t low = member(set);

    if (!is_at(set, '-') || set->at + 1 == end) {
        return false;
    }
    set->at++;
    return member(set) < low;
}

static const char *check_set(struct cursor *set)
{
    struct cursor at = *set;
    bool hit;

    if (!read_set(set, 0, &hit)) {
        return "this [ has no ]; write \\[ for the character itself";
    }
    at.at += is_at(&at, '!') || is_at(&at, '^') ? 1 : 0;
    while (at.at < set->at - 1) {
        if (goes_backwards(&at, set->at - 1)) {
            return "this set has a range that goes backwards";
        }
    }
    return NULL;
}

const char *inject_glob_check(struct bytes pattern, size_t *column)
{
    struct cursor p = over(pattern), start = p;

    while (p.at < p.end) {
        const uint8_t *at = p.at++;
        const char *wrong = NULL;

        if (*at == '[') {
            wrong = check_set(&p);
        } else if (*at == '\\' && p.at == p.end) {
            wrong = "nothing follows this \\; write \\\\ for the character itself";
        } else if (*at == '\\') {
            p.at++;
        }
        if (wrong != NULL) {
            *column = (size_t)(at - start.at) + 1;
            return wrong;
        }
    }
    return NULL;
}
