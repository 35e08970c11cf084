#include "tests/failures/child.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "captures/file.h"
#include "inject/build.h"
#include "proxy/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RULES_MAX = 8, PATIENCE_MS = 20000 };

/* The signal handlers' way to what this process is about. */
static struct {
    const struct child_config *config;
    struct child_report *report;
    int said;
} self;

struct proxy {
    const struct child_config *config;
    struct net_loop *loop;
    struct inject_plan *plan;
    struct capture_sink sink;
    struct capture_writer *writer;
    struct proxy_server *server;
    struct net_signal *stop;
    bool has_tape;
};

#ifdef COUNTED          /* for scripts/coverage: what exit() would do */
void __gcov_dump(void); /* NOLINT: its name is GCC's */
#endif

static void leave(void)
{
#ifdef COUNTED
    __gcov_dump();
#endif
    _exit(0);
}

static void say(const void *at, size_t len)
{
    if (write(self.said, at, len) != (ssize_t)len) {
        _exit(4);
    }
}

static void arm(int number)
{
    (void)number;
    faulty_arm(&self.config->fault);
    say("a", 1);
}

static void disarm(int number)
{
    (void)number;
    self.report->hit_armed = faulty_disarm();
    say("d", 1);
}

/* ---- starting ---- */

static int make_plan(struct proxy *p)
{
    struct inject_source sources[RULES_MAX];
    struct inject_rules *rules = NULL;
    struct buf errors = { 0 };
    unsigned wrong = 0;
    size_t count = 0;
    int r;

    for (; p->config->rules[count] != NULL; count++) {
        sources[count] =
            (struct inject_source){ .name = "--fault",
                                    .text = bytes_of(p->config->rules[count]),
                                    .is_line = true };
    }
    r = inject_build(sources, count, &rules, &errors, &wrong);
    if (r == -EINVAL) {
        fprintf(stderr, "%.*s", (int)errors.len, (const char *)errors.at);
    }
    buf_deinit(&errors);
    if (r < 0) {
        return r;
    }
    p->plan = inject_plan_new(rules, 1, 1 << 20);
    if (p->plan == NULL) {
        inject_rules_free(rules);
        return -ENOMEM;
    }
    return 0;
}

static int open_tape(struct proxy *p)
{
    struct capture_writer_config w = { .policy = p->config->policy,
                                       .sync_always = p->config->sync_always };
    struct err e;
    int64_t now_ns = clock_monotonic_ns();
    int r = capture_file_create(p->config->tape, &p->sink, &e);

    if (r < 0) {
        return r;
    }
    p->has_tape = true;
    w.sink = p->sink;
    w.header = (struct capture_header){ .version = CAPTURE_VERSION,
                                        .id = 7,
                                        .wall_ns = clock_wall_ns(),
                                        .origin_ns = now_ns,
                                        .program = bytes_of("failures") };
    r = capture_writer_new(&w, now_ns, &p->writer);
    if (r == 0) {
        proxy_server_record(p->server, p->writer);
    }
    return r;
}

static void stopped(void *owner)
{
    (void)owner; /* the loop ends by itself */
}

static void stop_asked(void *owner, int number)
{
    struct proxy *p = owner;

    (void)number;
    proxy_server_stop(p->server, "over");
}

static int open_server(struct proxy *p)
{
    struct proxy_server_config c = { .upstream_tls = p->config->upstream_tls,
                                     .origin_ns = clock_monotonic_ns(),
                                     .max_connections = 10,
                                     .stopped = stopped,
                                     .owner = p };
    struct err e;

    c.listen_tls[PROXY_TLS_SOUND] = p->config->listen_tls;
    c.proxy = (struct proxy_config){ .keep_host = true,
                                     .http_body_limit = 1 << 20,
                                     .head_timeout_ns = 2 * CLOCK_NS_PER_S,
                                     .connect_timeout_ns = 300 * CLOCK_NS_PER_MS,
                                     .linger_ns = 50 * CLOCK_NS_PER_MS };
    snprintf(c.proxy.listen.host, sizeof(c.proxy.listen.host), "127.0.0.1");
    snprintf(c.proxy.upstream.host, sizeof(c.proxy.upstream.host), "127.0.0.1");
    c.proxy.upstream.port = p->config->upstream;
    return proxy_server_new(p->loop, &c, &p->server, &e);
}

static int start(struct proxy *p)
{
    int r = net_loop_new(&p->loop);

    if (r == 0 && p->config->rules != NULL) {
        r = make_plan(p);
    }
    if (r == 0) {
        r = open_server(p);
    }
    if (r == 0) {
        r = open_tape(p);
    }
    if (r == 0) {
        p->stop = net_signal_new(p->loop, SIGTERM, stop_asked, p);
        r = p->stop == NULL ? -ENOMEM : 0;
    }
    if (r == 0 && p->plan != NULL) {
        proxy_server_inject(p->server, p->plan);
    }
    return r;
}

/* ---- ending ---- */

static void finish(struct proxy *p, struct child_report *report)
{
    struct proxy_server_totals t;

    if (p->server == NULL || p->writer == NULL) {
        return;
    }
    t = proxy_server_totals(p->server);
    report->tape_error = t.tape_error;
    if (t.tape_error == 0) {
        report->finish_error = capture_writer_finish(p->writer, clock_monotonic_ns(),
                                                     t.connections, "end");
    }
    report->lost_records = capture_writer_totals(p->writer).lost_records;
}

static void give_back(struct proxy *p)
{
    sigset_t late;

    sigemptyset(&late);
    sigaddset(&late, SIGTERM);
    sigprocmask(SIG_BLOCK, &late, NULL);
    net_signal_free(p->stop);
    proxy_server_free(p->server);
    capture_writer_free(p->writer);
    if (p->has_tape) {
        capture_file_close(&p->sink);
    }
    inject_plan_free(p->plan);
    if (p->loop != NULL) {
        net_loop_run(p->loop);
    }
    net_loop_free(p->loop);
}

static void live(const struct child_config *config, struct child_report *report)
{
    struct proxy p = { .config = config };
    long before = alloc_live();
    uint16_t port = 0;

    if (config->from_start) {
        faulty_arm(&config->fault);
    }
    report->start_error = start(&p);
    if (report->start_error == 0) {
        port = proxy_server_url(p.server)->port;
    }
    say(&port, sizeof(port));
    if (port != 0) {
        net_loop_run(p.loop);
        finish(&p, report);
    }
    give_back(&p);
    report->hit = faulty_disarm() || report->hit_armed;
    report->leaked = alloc_live() - before;
    report->whole = true;
}

/* ---- from outside ---- */

static void on_signal(int number, void (*handler)(int number))
{
    struct sigaction a = { .sa_handler = handler };

    sigaction(number, &a, NULL);
}

static bool heard(struct child *c, void *out, size_t len)
{
    struct pollfd fd = { c->said, POLLIN, 0 };

    return poll(&fd, 1, PATIENCE_MS) == 1 && read(c->said, out, len) == (ssize_t)len;
}

void child_start(struct child *c, const struct child_config *config)
{
    int ends[2];

    *c = (struct child){ 0 };
    c->report = mmap(NULL, sizeof(*c->report), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (c->report == MAP_FAILED || pipe(ends) < 0) {
        abort();
    }
    c->pid = fork();
    if (c->pid == 0) {
        self.config = config;
        self.report = c->report;
        self.said = ends[1];
        on_signal(SIGUSR1, arm);
        on_signal(SIGUSR2, disarm);
        live(config, c->report);
        leave();
    }
    close(ends[1]);
    c->said = ends[0];
    heard(c, &c->port, sizeof(c->port));
}

static void ask(struct child *c, int number)
{
    char answer;

    kill(c->pid, number);
    heard(c, &answer, 1); /* when it is gone, child_end tells */
}

void child_arm(struct child *c)
{
    ask(c, SIGUSR1);
}

void child_disarm(struct child *c)
{
    ask(c, SIGUSR2);
}

bool child_end(struct child *c, struct child_report *out)
{
    struct pollfd gone = { c->said, 0, 0 }; /* its end of the pipe closes with it */
    int status = 1;

    if (c->port != 0) {
        kill(c->pid, SIGTERM);
    }
    if (poll(&gone, 1, PATIENCE_MS) != 1) {
        kill(c->pid, SIGABRT);
    }
    waitpid(c->pid, &status, 0);
    *out = *c->report;
    munmap(c->report, sizeof(*c->report));
    close(c->said);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 && out->whole;
}
