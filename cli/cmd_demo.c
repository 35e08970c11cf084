#include "cli/options.h"

#include "cli/demo_session.h"
#include "wire/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct demo {
    char folder[1024];
    char plain[1024 + sizeof("/demo.wstape")];
    char faulty[1024 + sizeof("/faulty.wstape")];
};

static const char *const rules[] = {
    "drop_field=tool_name,json.type=tool_executing",
    "close=1011,reason=Internal error,from=server,message=8",
};
enum { RULES = sizeof(rules) / sizeof(rules[0]) };

/* What the client must see of them. */
static const char *const due[RULES] = {
    "tool_executing without tool_name",
    "closed with 1011 (Internal error)",
};

static const struct cli_command command = {
    .name = "demo",
    .usage = "",
    .summary =
        "Record a session between an embedded client and an embedded backend, over "
        "real\nsockets, and show the tape; replay it with the backend gone; then the "
        "same with\ntwo faults.",
};

static int choose_tapes(struct demo *d, struct err *e)
{
    const char *folder = getenv("TMPDIR");
    int len;

    len = snprintf(d->folder, sizeof(d->folder), "%s/wstape-demo-XXXXXX",
                   folder == NULL || folder[0] == '\0' ? "/tmp" : folder);
    if (len >= (int)sizeof(d->folder)) {
        return err_set(e, -ENAMETOOLONG, "demo: TMPDIR is too long");
    }
    if (mkdtemp(d->folder) == NULL) {
        return err_set(e, -errno, "demo: cannot make a folder %s: %s (set TMPDIR)",
                       d->folder, strerror(errno));
    }
    snprintf(d->plain, sizeof(d->plain), "%s/demo.wstape", d->folder);
    snprintf(d->faulty, sizeof(d->faulty), "%s/faulty.wstape", d->folder);
    return 0;
}

/* As "wstape show TAPE" and what may follow; `connection` may be NULL. */
static int show(char *tape, char *connection)
{
    char name[] = "show", option[] = "--connection";
    char *argv[] = { name, tape, connection == NULL ? NULL : option, connection, NULL };

    fflush(stdout);
    return cmd_show(connection == NULL ? 2 : 4, argv);
}

/* ---- a session ---- */

static void introduce_plain(const struct demo_session_config *c, uint16_t backend_port)
{
    printf("1. An agent backend listens on ws://127.0.0.1:%u\n"
           "2. $ wstape record --upstream ws://127.0.0.1:%u --listen ws://127.0.0.1:0 "
           "\\\n"
           "       --output %s\n"
           "3. A client asks there for GET /health, then opens a WebSocket, sends two "
           "chat\n   messages and a ping, and closes.\n",
           (unsigned)backend_port, (unsigned)backend_port, c->tape);
    fflush(stdout);
}

static int record_plain(struct demo *d, struct err *e)
{
    const struct demo_session_config c = { .tape = d->plain,
                                           .introduce = introduce_plain };
    struct demo_sights seen;
    int r = demo_session_record(&c, &seen, e);

    if (r == 0 && seen.count > 0) {
        r = err_set(e, -EPROTO, "demo: the client saw what nobody sent: %s",
                    seen.at[0]);
    }
    if (r == 0) {
        printf("4. $ wstape show %s\n\n", d->plain);
    }
    return r;
}

/* ---- the tape in place of the backend ---- */

/* `wstape demo --client`: the client alone, where WSTAPE_URL says. */
static int call(void)
{
    const char *text = getenv("WSTAPE_URL");
    struct demo_sights seen;
    struct wire_url url;
    struct err e;
    int r;

    if (text == NULL) {
        err_set(&e, -EINVAL,
                "demo: --client needs WSTAPE_URL: run it with "
                "`wstape replay TAPE -- wstape demo --client`");
        return cli_fail(CLI_USAGE, &e);
    }
    r = wire_url_parse(text, "WSTAPE_URL", &url, &e);
    if (r == 0) {
        r = demo_session_call(url.port, &seen, &e);
    }
    if (r == 0 && seen.count > 0) {
        r = err_set(&e, -EPROTO, "demo: the client saw what nobody recorded: %s",
                    seen.at[0]);
    }
    if (r < 0) {
        return cli_fail(r == -EINVAL ? CLI_USAGE : CLI_FAILED, &e);
    }
    printf("   the client: GET /health, two chats, a ping and the close were answered "
           "as ever\n");
    return CLI_OK;
}

/* The demo's client as the COMMAND of a replay. */
static int replay(struct demo *d)
{
    char name[] = "replay", listen[] = "--listen", any[] = "ws://127.0.0.1:0";
    char then[] = "--", demo[] = "demo", client[] = "--client", fail[] = "fail";
    char on_mismatch[] = "--on-mismatch", self[] = "/proc/self/exe";
    char *argv[] = { name, d->plain, listen, any,    on_mismatch, fail,
                     then, self,     demo,   client, NULL };

    printf(
        "\n5. The backend is gone. Its tape takes its place, and the same client finds "
        "nothing\n   amiss:\n   $ wstape replay %s --listen ws://127.0.0.1:0 \\\n"
        "       --on-mismatch fail -- wstape demo --client\n",
        d->plain);
    fflush(stdout);
    return cmd_replay(10, argv);
}

/* ---- the same with faults ---- */

static void introduce_faulty(const struct demo_session_config *c, uint16_t backend_port)
{
    printf("\n6. The same session again, with two rules of what to break:\n"
           "   $ wstape record --upstream ws://127.0.0.1:%u --listen ws://127.0.0.1:0 "
           "\\\n"
           "       --output %s",
           (unsigned)backend_port, c->tape);
    for (size_t i = 0; i < c->fault_count; i++) {
        printf(" \\\n       --fault '%s'", c->faults[i]);
    }
    printf("\n");
    fflush(stdout);
}

static int check_sights(const struct demo_sights *seen, struct err *e)
{
    for (size_t i = 0; i < RULES; i++) {
        if (i >= seen->count || strcmp(seen->at[i], due[i]) != 0) {
            return err_set(e, -EPROTO, "demo: the client should have seen: %s", due[i]);
        }
    }
    return 0;
}

static int record_faulty(struct demo *d, struct err *e)
{
    const struct demo_session_config c = { .tape = d->faulty,
                                           .faults = rules,
                                           .fault_count = RULES,
                                           .introduce = introduce_faulty };
    struct demo_sights seen;
    int r = demo_session_record(&c, &seen, e);

    if (r < 0) {
        return r;
    }
    printf("7. What the client saw:\n");
    for (size_t i = 0; i < seen.count; i++) {
        printf("     %s\n", seen.at[i]);
    }
    r = check_sights(&seen, e);
    if (r == 0) {
        printf("8. $ wstape show %s --connection 2\n\n", d->faulty);
    }
    return r;
}

static void say_what_next(const struct demo *d)
{
    printf("\nBoth tapes stay in %s. Try:\n"
           "  wstape show --stats %s\n"
           "  wstape show --json %s\n"
           "  wstape verify %s\n"
           "  wstape replay %s   the tape as backend, on ws://127.0.0.1:8001\n"
           "  wstape faults                  all that can be broken\n",
           d->folder, d->plain, d->faulty, d->faulty, d->plain);
}

/* Both sessions, each followed by its timeline; what could not be done is said. */
static int run(struct demo *d)
{
    char websocket[] = "2"; /* GET /health is 1 */
    struct err e;
    int r = record_plain(d, &e);
    int status;

    if (r < 0) {
        return cli_fail(CLI_FAILED, &e);
    }
    status = show(d->plain, NULL);
    if (status == CLI_OK) {
        status = replay(d);
    }
    if (status != CLI_OK) {
        return status;
    }
    r = record_faulty(d, &e);
    return r < 0 ? cli_fail(CLI_FAILED, &e) : show(d->faulty, websocket);
}

int cmd_demo(int argc, char **argv)
{
    bool client = false;
    const struct cli_option table[] = {
        { .name = "client",
          .kind = CLI_FLAG,
          .help = "only the demo's client, for WSTAPE_URL (see `wstape replay`)",
          .to = &client },
        { .name = NULL },
    };
    struct cli_parsed parsed;
    struct demo demo;
    struct err e;
    int r = cli_parse(&command, table, argc, argv, &parsed, &e);

    if (r != 0) {
        return r == CLI_HELP ? CLI_OK : cli_fail(CLI_USAGE, &e);
    }
    if (client) {
        return call();
    }
    if (choose_tapes(&demo, &e) < 0) {
        return cli_fail(CLI_FAILED, &e);
    }
    r = run(&demo);
    if (r == CLI_OK) {
        say_what_next(&demo);
    }
    return r;
}
