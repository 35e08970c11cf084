#include "base/clock.h"
#include "cli/show.h"
#include "cli/show_stats.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 50, PROGRESS_EVERY = 1024, PROGRESS_MS = 200 };

struct run {
    struct show *show;
    const struct show_view *view;
    const struct capture_source *source;
    struct capture_reader *reader;
    struct capture_timeline *timeline;
    struct capture_item end; /* where the tape ended when it was last read */
    bool shows_progress;
    bool progress_shown;
    unsigned since_progress; /* items */
    int64_t progress_at;
};

/* Set by SIGINT and SIGTERM while following. */
static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_interrupts(void)
{
    struct sigaction a = { .sa_handler = interrupt };

    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

/* ---- progress ---- */

static void progress_clear(struct run *run)
{
    if (run->progress_shown) {
        fputs("\r\x1b[K", stderr);
        run->progress_shown = false;
    }
}

static void progress_step(struct run *run, uint64_t offset)
{
    int64_t now;

    if (!run->shows_progress || ++run->since_progress < PROGRESS_EVERY) {
        return;
    }
    run->since_progress = 0;
    now = clock_monotonic_ns();
    if (now < run->progress_at || run->show->size == 0) {
        return;
    }
    run->progress_at = now + PROGRESS_MS * CLOCK_NS_PER_MS;
    run->progress_shown = true;
    fprintf(stderr, "\rreading %3.0f %%",
            100.0 * (double)offset / (double)run->show->size);
}

static void progress_start(struct run *run, bool wanted)
{
    run->shows_progress = wanted && isatty(STDERR_FILENO);
    run->progress_at = clock_monotonic_ns() + PROGRESS_MS * CLOCK_NS_PER_MS;
}

/* ---- the timeline's callbacks ---- */

static bool wants(void *owner, uint32_t connection)
{
    const struct run *run = owner;

    return show_ranges_hold(&run->show->options.connections, connection);
}

static int moment(void *owner, const struct capture_moment *m)
{
    struct run *run = owner;
    struct show *s = run->show;
    int r;

    if (s->stats != NULL) {
        return show_stats_feed(s->stats, m);
    }
    r = show_hit_take(&s->hit, m, &s->part);
    if (r < 0 || (show_hit_is_recompressed(m, s->part) && !s->options.frames)) {
        return r;
    }
    return run->view->moment(s, m);
}

static int timeline_new(struct run *run)
{
    const struct show *s = run->show;
    struct capture_timeline_config c = {
        .message_keep = s->stats != NULL ? 0 : run->view->message_keep,
        .body_keep = s->stats != NULL ? 0 : run->view->body_keep,
        .limit = (size_t)s->options.max_message,
        .frames = s->options.frames && s->stats == NULL,
        .wants = wants,
        .moment = moment,
        .owner = run,
    };

    return capture_timeline_new(&c, &run->timeline);
}

/* ---- passes ---- */

/* Read to the end; every item goes to the overview, the timeline, or both. */
static int read_all(struct run *run, bool overview, bool timeline)
{
    struct capture_item item = { .event = CAPTURE_EVENT_END };
    int r;

    do {
        r = capture_reader_next(run->reader, &item);
        if (r == 0 && overview) {
            r = capture_overview_feed(&run->show->overview, &item);
        }
        if (r == 0 && timeline) {
            r = capture_timeline_feed(run->timeline, &item);
        }
        progress_step(run, item.offset);
    } while (r == 0 && item.event != CAPTURE_EVENT_END);
    progress_clear(run);
    run->end = item;
    return r;
}

/* What the first pass has seen, no more, however the tape has grown since. */
static int tell_all(struct run *run)
{
    const struct capture_overview *o = &run->show->overview;
    struct capture_item item = { .event = CAPTURE_EVENT_RECORD };
    int r = 0;

    capture_reader_rewind(run->reader);
    while (r == 0) {
        r = capture_reader_next(run->reader, &item);
        if (r < 0 || item.event == CAPTURE_EVENT_END ||
            item.offset >= run->end.offset) {
            break;
        }
        if (o->missing_count > 0) {
            r = capture_timeline_doubt(run->timeline,
                                       capture_overview_doubts(o, item.offset));
        }
        if (r == 0) {
            r = capture_timeline_feed(run->timeline, &item);
        }
        progress_step(run, item.offset);
    }
    progress_clear(run);
    return r == 0 ? capture_timeline_finish(run->timeline, &run->end) : r;
}

static int run_passes(struct run *run)
{
    int r;

    progress_start(run, true);
    r = read_all(run, true, false);
    if (r == 0) {
        r = run->view->tape(run->show);
    }
    if (r == 0) {
        r = run->view->connections(run->show);
    }
    progress_start(run, !isatty(STDOUT_FILENO));
    return r == 0 ? tell_all(run) : r;
}

/* One pass: nothing is printed before all of it was read. */
static int run_stats(struct run *run)
{
    struct show *s = run->show;
    int r;

    progress_start(run, true);
    r = read_all(run, true, true);
    if (r == 0) {
        r = capture_timeline_finish(run->timeline, &run->end);
    }
    if (r == 0) {
        r = run->view->tape(s);
    }
    if (r == 0) {
        r = run->view->connections(s);
    }
    return r == 0 ? run->view->stats(s) : r;
}

static void nap(void)
{
    struct timespec span = { .tv_nsec = POLL_MS * CLOCK_NS_PER_MS };

    (void)nanosleep(&span, NULL); /* an interrupt may end it early */
}

/* Beyond what the last read saw: what came since then counts. */
static bool has_grown(const struct run *run)
{
    return interrupted ||
           run->source->size(run->source->object) != run->end.offset + run->end.len;
}

/* What a recorder writes at once may be read in two parts: a line that is held, for
 * what follows may belong to it, is let go a nap later. */
static int wait_for_growth(const struct run *run)
{
    struct show_out *out = &run->show->out;
    int r = 0;

    if (!has_grown(run)) {
        nap();
    }
    if (!has_grown(run)) {
        show_out_release(out);
        r = show_out_flush(out);
    }
    while (r == 0 && !has_grown(run)) {
        nap();
    }
    return r;
}

/* As it grows, until its summary or an interrupt; the connections come last. */
static int run_follow(struct run *run)
{
    struct show *s = run->show;
    int r = run->view->tape(s);

    while (r == 0) {
        r = read_all(run, true, true);
        if (r == 0) {
            r = show_out_flush(&s->out);
        }
        if (r < 0 || s->overview.complete || interrupted) {
            break;
        }
        r = wait_for_growth(run);
    }
    if (r == 0) {
        r = capture_timeline_finish(run->timeline, &run->end);
    }
    return r == 0 ? run->view->connections(s) : r;
}

static int run_follow_stats(struct run *run)
{
    int r = 0;

    while (r == 0) {
        r = read_all(run, true, true);
        if (r < 0 || run->show->overview.complete || interrupted) {
            break;
        }
        r = wait_for_growth(run);
    }
    return r == 0 ? run_stats(run) : r;
}

/* ---- the whole ---- */

static int run_mode(struct run *run)
{
    const struct show_options *o = &run->show->options;

    if (o->follow) {
        return o->stats ? run_follow_stats(run) : run_follow(run);
    }
    return o->stats ? run_stats(run) : run_passes(run);
}

static void say_damage(const struct show *s)
{
    const struct capture_overview *o = &s->overview;

    if (o->damaged > 0 || o->missing_count > 0) {
        fprintf(stderr,
                "wstape: the tape is damaged: %llu unreadable places (%llu bytes), "
                "%llu places where records are missing; `wstape verify` says more\n",
                (unsigned long long)o->damaged, (unsigned long long)o->damaged_bytes,
                (unsigned long long)o->missing_count);
    }
}

/* A reader of ours that went away is no trouble; it has seen what it wanted. */
static int status_of(struct show *s, int r, struct err *e)
{
    show_out_release(&s->out);
    if (r == 0) {
        r = show_out_flush(&s->out);
    }
    if (r == 0 || s->out.error == -EPIPE) {
        say_damage(s);
        return CLI_OK;
    }
    if (s->out.error != 0) {
        err_set(e, r, "show: cannot write to standard output: %s",
                strerror(-s->out.error));
    } else {
        err_set(e, r, "show: cannot read the tape: %s", strerror(-r));
    }
    return CLI_FAILED;
}

int show_run(struct show *s, const struct show_view *v, struct capture_source *source,
             struct err *e)
{
    struct run run = { .show = s, .view = v, .source = source };
    int status;
    int r;

    if (s->options.follow) {
        catch_interrupts();
        while (source->size(source->object) == 0 && !interrupted) {
            nap();
        }
    }
    r = capture_reader_new(source, &run.reader, e);
    if (r < 0) {
        return CLI_FAILED;
    }
    s->header = capture_reader_header(run.reader);
    s->size = source->size(source->object);
    r = timeline_new(&run);
    if (r == 0) {
        r = run_mode(&run);
    }
    status = status_of(s, r, e);
    show_hit_deinit(&s->hit);
    capture_timeline_free(run.timeline);
    capture_reader_free(run.reader);
    return status;
}
