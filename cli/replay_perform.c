#include "cli/replay_perform.h"

enum { SPARE_MAX = 256 * 1024 }; /* memory kept for what is said next */

void cli_replay_perform(struct proxy_seat *seat, struct net_timer *timer,
                        struct replay_output *out, int r, int64_t now_ns)
{
    if (r == 0) {
        r = proxy_guest_send(seat, buf_bytes(&out->send));
    }
    if (out->send.cap > SPARE_MAX) {
        buf_deinit(&out->send);
    }
    buf_clear(&out->send);
    if (r < 0) {
        net_timer_at(timer, -1);
        proxy_guest_end(seat, CAPTURE_END_RESET);
        return;
    }
    if (out->end != 0) {
        proxy_guest_end(seat, out->end);
    }
    if (out->wake_at >= 0 && out->wake_at <= now_ns) {
        net_timer_at(timer, -1);
        proxy_guest_again(seat);
    } else {
        net_timer_at(timer, out->wake_at);
    }
}
