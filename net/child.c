#include "base/alloc.h"
#include "net/net_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct net_child {
    uv_process_t uv;
    void (*done)(void *owner, int status, int signal);
    void *owner;
};

static void child_closed(uv_handle_t *h)
{
    alloc_free(h->data);
}

static void child_ended(uv_process_t *h, int64_t status, int signal)
{
    struct net_child *c = h->data;

    net_loop_event(h->loop->data);
    uv_close((uv_handle_t *)h, child_closed);
    c->done(c->owner, signal != 0 ? 0 : (int)status, signal);
}

static size_t count(char *const *list)
{
    size_t n = 0;

    while (list != NULL && list[n] != NULL) {
        n++;
    }
    return n;
}

/* `entry` is NAME=value and `more` sets NAME too. */
static bool replaced(const char *entry, char *const *more)
{
    size_t len = strcspn(entry, "=");

    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        if (strncmp(entry, more[i], len) == 0 && more[i][len] == '=') {
            return true;
        }
    }
    return false;
}

/* The strings stay where they are; only the array is new. */
static char **merge_environment(char *const *more)
{
    size_t n = 0;
    char **all = alloc_get((count(environ) + count(more) + 1) * sizeof(char *));

    if (all == NULL) {
        return NULL;
    }
    for (size_t i = 0; environ != NULL && environ[i] != NULL; i++) {
        if (!replaced(environ[i], more)) {
            all[n++] = environ[i];
        }
    }
    for (size_t i = 0; more != NULL && more[i] != NULL; i++) {
        all[n++] = more[i];
    }
    all[n] = NULL;
    return all;
}

static int spawn(struct net_loop *l, struct net_child *c, char **args, char **env)
{
    uv_stdio_container_t stdio[3];
    uv_process_options_t options = { .exit_cb = child_ended,
                                     .file = args[0],
                                     .args = args,
                                     .env = env,
                                     .stdio_count = 3,
                                     .stdio = stdio };

    for (int fd = 0; fd < 3; fd++) {
        stdio[fd].flags = UV_INHERIT_FD;
        stdio[fd].data.fd = fd;
    }
    return uv_spawn(&l->uv, &c->uv, &options);
}

/* With arrays of our own: libuv asks for pointers that may be written to. */
static int start(struct net_loop *l, struct net_child *c, char *const *argv,
                 char *const *env_more)
{
    char **args = alloc_get((count(argv) + 1) * sizeof(char *));
    char **env = merge_environment(env_more);
    int r = -ENOMEM;

    if (args == NULL || env == NULL) {
        alloc_free(c);
    } else {
        memcpy(args, argv, (count(argv) + 1) * sizeof(char *));
        r = spawn(l, c, args, env);
        if (r < 0) {
            uv_close((uv_handle_t *)&c->uv, child_closed);
        }
    }
    alloc_free(args);
    alloc_free(env);
    return r;
}

int net_child_start(struct net_loop *l, char *const *argv, char *const *env_more,
                    void (*done)(void *owner, int status, int signal), void *owner,
                    struct net_child **out)
{
    struct net_child *c = alloc_zero(1, sizeof(*c));
    int r;

    if (c == NULL) {
        return -ENOMEM;
    }
    c->uv.data = c;
    c->done = done;
    c->owner = owner;
    r = start(l, c, argv, env_more);
    if (r < 0) {
        return r;
    }
    *out = c;
    return 0;
}

void net_child_kill(struct net_child *c, int signal)
{
    uv_process_kill(&c->uv, signal);
}
