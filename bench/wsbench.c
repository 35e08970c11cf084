/*
 * bench/wsbench - the load tool: an echo and source server, and a load client.
 */
#include "bench/load.h"
#include "bench/serve.h"

#include "base/text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char usage[] =
    "usage: wsbench serve PORT [PEM]\n"
    "       wsbench load PORT MODE CONNS SIZE SECS [tls] [json]\n"
    "\n"
    "serve: echo server on 127.0.0.1 (port 0: any free one), prints {\"port\":N};\n"
    "       with key and certificate in the file PEM, over TLS\n"
    "load:  runs MODE over CONNS connections with messages of SIZE bytes (json: of\n"
    "       JSON): opens all, warms up for 0.2 s, prints \"measuring\", runs for SECS\n"
    "       seconds, prints \"measured\", and at last one JSON line\n"
    "  pingpong  one message in flight a connection, round trips are timed\n"
    "  stream    the server sends as fast as it can\n"
    "  upload    64 messages in flight a connection, each echoed\n"
    "  connect   connect, upgrade, one echo, reset; repeated\n"
    "  idle      open the connections, print the line, hold them for SECS seconds\n";

static const char *const mode_names[] = {
    [BENCH_PINGPONG] = "pingpong", [BENCH_STREAM] = "stream", [BENCH_UPLOAD] = "upload",
    [BENCH_CONNECT] = "connect",   [BENCH_IDLE] = "idle",
};

static bool parse_mode(const char *text, enum bench_mode *out)
{
    for (unsigned i = 0; i < sizeof mode_names / sizeof mode_names[0]; i++) {
        if (strcmp(text, mode_names[i]) == 0) {
            *out = (enum bench_mode)i;
            return true;
        }
    }
    return false;
}

static bool parse_secs(const char *text, double *out)
{
    char *end;
    double secs = strtod(text, &end);

    if (end == text || *end != '\0' || !(secs > 0 && secs < 1e6)) {
        return false;
    }
    *out = secs;
    return true;
}

/* What may stand behind the numbers. */
static bool parse_words(int argc, char **argv, struct bench_order *out)
{
    for (int i = 6; i < argc; i++) {
        if (strcmp(argv[i], "tls") == 0) {
            out->tls = true;
        } else if (strcmp(argv[i], "json") == 0) {
            out->json = true;
        } else {
            return false;
        }
    }
    return true;
}

/* argv[0] is "load". */
static bool parse_order(int argc, char **argv, struct bench_order *out)
{
    uint64_t port, conns, size;

    if (argc < 6 || !parse_words(argc, argv, out) ||
        text_parse_number(argv[1], 1, 65535, &port) < 0 ||
        !parse_mode(argv[2], &out->mode) ||
        text_parse_number(argv[3], 1, 1000000, &conns) < 0 ||
        text_parse_number(argv[4], 1, 1U << 30U, &size) < 0 ||
        !parse_secs(argv[5], &out->secs)) {
        return false;
    }
    out->mode_name = argv[2];
    out->port = (uint16_t)port;
    out->conns = (unsigned)conns;
    out->size = (size_t)size;
    return true;
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    struct bench_order order = { 0 };
    uint64_t port;
    int r;

    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "serve") == 0 &&
        text_parse_number(argv[2], 0, 65535, &port) == 0) {
        r = bench_serve((uint16_t)port, argc == 4 ? argv[3] : NULL);
    } else if (argc > 1 && strcmp(argv[1], "load") == 0 &&
               parse_order(argc - 1, argv + 1, &order)) {
        r = bench_load(&order);
    } else {
        fputs(usage, stderr);
        return 2;
    }
    if (r < 0) {
        fprintf(stderr, "wsbench: %s: %s\n", argv[1], strerror(-r));
        return 3;
    }
    return 0;
}
