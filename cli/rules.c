#include "cli/rules.h"

#include "base/random.h"
#include "inject/build.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 4 * 1024 * 1024, SOURCES_MAX = 65 };

/* What the rules are read from. */
struct sources {
    struct inject_source at[SOURCES_MAX];
    size_t count;
    struct buf file;
    char folder[1024];
};

static int read_file(const char *path, struct buf *out, struct err *e)
{
    FILE *f = fopen(path, "rbe");
    size_t n = 1;
    int r = f == NULL ? -errno : 0;

    while (r == 0 && n > 0) {
        r = buf_reserve(out, 4096);
        n = r == 0 ? fread(out->at + out->len, 1, 4096, f) : 0;
        out->len += n;
        if (out->len > FILE_MAX) {
            r = -EFBIG;
        }
    }
    if (r == 0 && ferror(f)) {
        r = -EIO;
    }
    if (f != NULL) {
        fclose(f);
    }
    return r < 0 ? err_set(e, -EINVAL, "--faults %s: %s", path,
                           r == -EFBIG ? "rules are at most 4M long" : strerror(-r))
                 : 0;
}

static void folder_of(const char *path, char *out, size_t cap)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        snprintf(out, cap, ".");
    } else {
        snprintf(out, cap, "%.*s", (int)(slash - path + 1), path);
    }
}

static int gather(const struct cli_recorder_config *c, struct sources *s, struct err *e)
{
    int r = 0;

    if (c->faults_file != NULL) {
        r = read_file(c->faults_file, &s->file, e);
        folder_of(c->faults_file, s->folder, sizeof(s->folder));
        s->at[s->count++] = (struct inject_source){ .name = c->faults_file,
                                                    .text = buf_bytes(&s->file),
                                                    .folder = s->folder };
    }
    for (size_t i = 0; i < c->fault_count && s->count < SOURCES_MAX; i++) {
        s->at[s->count++] = (struct inject_source){ .name = "--fault",
                                                    .text = bytes_of(c->fault_lines[i]),
                                                    .is_line = true,
                                                    .folder = "." };
    }
    return r;
}

/* A rule that can never act is an error, like any other contradiction. */
static int check_tls(const struct cli_recorder_config *c,
                     const struct inject_rules *rules, struct err *e)
{
    bool listens_tls =
        strncmp(c->listen, "wss:", 4) == 0 || strncmp(c->listen, "https:", 6) == 0;

    for (size_t i = 0; i < rules->count && !listens_tls; i++) {
        if (rules->at[i].act.action == INJECT_TLS) {
            return err_set(e, -EINVAL, "rule \"%s\": tls needs --listen wss://...",
                           rules->at[i].name);
        }
    }
    return 0;
}

static int build(const struct cli_recorder_config *c, struct inject_rules **out,
                 struct err *e)
{
    struct sources s = { .count = 0 };
    struct buf errors = { 0 };
    unsigned count = 0;
    int r = gather(c, &s, e);

    if (r == 0) {
        r = inject_build(s.at, s.count, out, &errors, &count);
        if (r == -EINVAL) {
            fprintf(stderr, "%.*s", (int)errors.len, (const char *)errors.at);
            err_set(e, r, "%u error%s in the rules", count, count == 1 ? "" : "s");
        } else if (r < 0) {
            err_set(e, r, "the rules: %s", strerror(-r));
        }
    }
    if (r == 0) {
        r = check_tls(c, *out, e);
        if (r < 0) {
            inject_rules_free(*out);
        }
    }
    buf_deinit(&errors);
    buf_deinit(&s.file);
    return r;
}

static int choose_seed(const struct cli_recorder_config *c,
                       const struct inject_rules *rules, uint64_t *seed)
{
    uint32_t drawn = 0; /* short enough to be typed again */
    int r = 0;

    if (c->has_seed || rules->has_seed) {
        *seed = c->has_seed ? c->seed : rules->seed;
        return 0;
    }
    r = random_fill(&drawn, sizeof(drawn));
    *seed = drawn;
    return r;
}

static void announce(const struct cli_recorder_config *c,
                     const struct inject_rules *rules, uint64_t seed)
{
    fprintf(stderr, "wstape: %zu rule%s, --seed %llu%s\n", rules->count,
            rules->count == 1 ? "" : "s", (unsigned long long)seed,
            c->has_seed || rules->has_seed ? ""
                                           : " (drawn; give it to repeat this run)");
}

int cli_rules_plan(const struct cli_recorder_config *c, struct inject_plan **out,
                   struct err *e)
{
    struct inject_rules *rules = NULL;
    uint64_t seed;
    int r;

    if (c->faults_file == NULL && c->fault_count == 0) {
        return c->has_seed ? err_set(e, -EINVAL, "--seed needs --faults or --fault")
                           : 0;
    }
    r = build(c, &rules, e);
    if (r < 0) {
        return r;
    }
    assert(rules != NULL);
    r = choose_seed(c, rules, &seed);
    if (r == 0) {
        *out = inject_plan_new(rules, seed, c->max_message);
        r = *out == NULL ? -ENOMEM : 0;
    }
    if (r < 0) {
        inject_rules_free(rules);
        return err_set(e, r, "the rules: %s", strerror(-r));
    }
    announce(c, rules, seed);
    return 0;
}

bool cli_rules_reload(const struct cli_recorder_config *c, struct inject_plan *plan)
{
    struct inject_rules *rules = NULL;
    struct err e;

    if (build(c, &rules, &e) < 0) {
        fprintf(stderr, "wstape: SIGHUP: %s: the rules stay as they were\n", e.text);
        return false;
    }
    assert(rules != NULL);
    if (rules->has_seed && rules->seed != inject_plan_seed(plan)) {
        fprintf(stderr, "wstape: SIGHUP: the seed of a run stays: %llu\n",
                (unsigned long long)inject_plan_seed(plan));
    }
    if (inject_plan_reload(plan, rules) < 0) {
        inject_rules_free(rules);
        fprintf(stderr, "wstape: SIGHUP: out of memory: the rules stay as they were\n");
        return false;
    }
    fprintf(stderr, "wstape: SIGHUP: %zu rule%s from now on\n", inject_plan_count(plan),
            inject_plan_count(plan) == 1 ? "" : "s");
    return true;
}

void cli_rules_summarize(const struct inject_plan *plan)
{
    for (size_t i = 0; i < inject_plan_count(plan); i++) {
        uint64_t fired;
        const struct inject_rule *rule = inject_plan_rule(plan, i, &fired);

        if (fired == 0) {
            fprintf(stderr, "wstape: rule \"%s\" NEVER acted\n", rule->name);
        } else {
            fprintf(stderr, "wstape: rule \"%s\" acted %llu time%s\n", rule->name,
                    (unsigned long long)fired, fired == 1 ? "" : "s");
        }
    }
}
