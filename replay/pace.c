#include "replay/pace.h"

/* Far enough to never come, and nothing added to it overflows. */
#define FAR_NS (INT64_MAX / 4)

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void replay_pace_init(struct replay_pace *p, double factor, int64_t recorded_ns,
                      int64_t now_ns)
{
    *p = (struct replay_pace){
        .factor = factor,
        .gate_recorded = recorded_ns,
        .gate_live = now_ns,
        .previous_recorded = recorded_ns,
        .previous_due = now_ns,
    };
}

void replay_pace_gate(struct replay_pace *p, int64_t recorded_ns, int64_t now_ns)
{
    p->gate_recorded = recorded_ns;
    p->gate_live = now_ns;
}

static int64_t scaled(int64_t recorded, double factor)
{
    double ns;

    if (recorded <= 0 || factor <= 0) {
        return 0;
    }
    ns = (double)recorded / factor;
    return ns < (double)FAR_NS ? (int64_t)ns : FAR_NS;
}

int64_t replay_pace_due(const struct replay_pace *p, int64_t recorded_ns)
{
    int64_t since = later(p->gate_recorded, p->previous_recorded);

    return later(p->gate_live, p->previous_due) +
           scaled(recorded_ns - since, p->factor);
}

void replay_pace_played(struct replay_pace *p, int64_t recorded_ns, int64_t due_ns)
{
    p->previous_recorded = recorded_ns;
    p->previous_due = due_ns;
}
