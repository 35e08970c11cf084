#include "base/clock.h"
#include "base/text.h"
#include "cli/show.h"
#include "wire/frame.h"
#include "wire/lint.h"

#include <inttypes.h>
#include <stdio.h>

const char *show_close_name(unsigned code)
{
    static const char *const names[] = {
        "normal closure",
        "going away",
        "protocol error",
        "unsupported data",
        NULL,
        "no status received",
        "abnormal closure",
        "invalid payload",
        "policy violation",
        "message too big",
        "missing extension",
        "internal error",
        "service restart",
        "try again later",
        "bad gateway",
        "TLS handshake failed",
    };

    return code >= 1000 && code - 1000 < sizeof(names) / sizeof(names[0])
               ? names[code - 1000]
               : NULL;
}

static void rsv_words(struct show_line *l, uint8_t first)
{
    show_line_text(l, "reserved bit");
    for (unsigned bit = 1; bit <= 3; bit++) {
        if ((first & (0x80U >> bit)) != 0) {
            show_line_format(l, " RSV%u", bit);
        }
    }
}

void show_fault_words(struct show_line *l, const struct capture_message *m,
                      unsigned bit)
{
    const char *words = wire_fault_name(bit);

    switch (1U << bit) {
    case WIRE_FAULT_RSV:
        rsv_words(l, m->frame.first);
        return;
    case WIRE_FAULT_OPCODE:
        show_line_format(l, "reserved opcode %u", capture_message_opcode(m));
        return;
    case WIRE_FAULT_MASK:
        words =
            m->from == CLIENT ? "client frame without mask" : "server frame with mask";
        break;
    case WIRE_FAULT_LENGTH_FORM:
        words = "length in a longer form than needed";
        break;
    case WIRE_FAULT_LENGTH_TOP_BIT:
        words = "length of 2^63 and more";
        break;
    case WIRE_FAULT_CONTROL_LENGTH:
        words = "control frame over 125 bytes";
        break;
    case WIRE_FAULT_CONTROL_FRAGMENT:
        words = "control frame without FIN";
        break;
    case WIRE_FAULT_ORPHAN:
        words = "continues no message";
        break;
    case WIRE_FAULT_INTERLEAVED:
        words = "starts inside another message";
        break;
    case WIRE_FAULT_UTF8:
        words = "not UTF-8";
        break;
    case WIRE_FAULT_CLOSE_LENGTH:
        words = "close payload of one byte";
        break;
    case WIRE_FAULT_CLOSE_CODE:
        words = "close code that must not be sent";
        break;
    case WIRE_FAULT_AFTER_CLOSE:
        words = "after the close frame";
        break;
    }
    show_line_text(l, words == NULL ? "unknown fault" : words);
}

void show_put_span(char *out, size_t cap, int64_t ns)
{
    if (ns < 0) {
        ns = 0;
    }
    if (ns < CLOCK_NS_PER_MS) {
        snprintf(out, cap, "%" PRId64 " µs", ns / 1000);
    } else if (ns < 10 * CLOCK_NS_PER_MS) {
        snprintf(out, cap, "%.1f ms", (double)ns / 1e6);
    } else if (ns < CLOCK_NS_PER_S) {
        snprintf(out, cap, "%.0f ms", (double)ns / 1e6);
    } else if (ns < 100 * CLOCK_NS_PER_S) {
        snprintf(out, cap, "%.2f s", (double)ns / 1e9);
    } else {
        snprintf(out, cap, "%.0f s", (double)ns / 1e9);
    }
}

void show_put_bytes(char *out, size_t cap, uint64_t size)
{
    struct buf b = { 0 };
    size_t len;

    out[0] = '\0';
    if (text_put_size(&b, size) == 0) {
        len = b.len < cap ? b.len : cap - 1;
        memcpy(out, b.at, len);
        out[len] = '\0';
    }
    buf_deinit(&b);
}
