#include "captures/fields.h"

#include <stddef.h>

/* clang-format off: a table reads best as one line a field */
/* One field: its name on the tape, its kind, its place in struct capture_record. */
#define FIELD(name, kind, member)                                                      \
    {                                                                                  \
        name, CAPTURE_FIELD_##kind, offsetof(struct capture_record, u.member), 0       \
    }
/* One that is there only when `flag` is set. */
#define OPTIONAL(name, kind, member, flag)                                             \
    {                                                                                  \
        name, CAPTURE_FIELD_##kind, offsetof(struct capture_record, u.member),         \
            offsetof(struct capture_record, u.flag)                                    \
    }

static const struct capture_fields none;

static const struct capture_fields fields[CAPTURE_SUMMARY + 1] = {
    [CAPTURE_OPEN] = {
        .name = "open",
        .count = 3,
        .at = {
            FIELD("client", TEXT, open.client),
            FIELD("listen", TEXT, open.listen),
            OPTIONAL("tls", TLS, open.tls, open.is_tls),
        },
    },
    [CAPTURE_UPSTREAM] = {
        .name = "upstream",
        .count = 3,
        .at = {
            FIELD("address", TEXT, upstream.address),
            FIELD("error", TEXT, upstream.error),
            OPTIONAL("tls", TLS, upstream.tls, upstream.is_tls),
        },
    },
    [CAPTURE_REQUEST] = {
        .name = "request",
        .count = 3,
        .at = {
            FIELD("exchange", U32, head.exchange),
            FIELD("bytes", BIN, head.bytes),
            FIELD("sent", MAYBE, head.sent),
        },
    },
    [CAPTURE_RESPONSE] = {
        .name = "response",
        .count = 3,
        .at = {
            FIELD("exchange", U32, head.exchange),
            FIELD("bytes", BIN, head.bytes),
            FIELD("sent", MAYBE, head.sent),
        },
    },
    [CAPTURE_BODY] = {
        .name = "body",
        .count = 4,
        .at = {
            FIELD("from", SIDE, body.from),
            FIELD("exchange", U32, body.exchange),
            FIELD("wire_len", U64, body.wire_len),
            FIELD("bytes", PAYLOAD, body.bytes),
        },
    },
    [CAPTURE_FRAME] = {
        .name = "frame",
        .count = 7,
        .at = {
            FIELD("from", SIDE, frame.from),
            FIELD("first", U8, frame.frame.first),
            FIELD("payload_len", U64, frame.frame.payload_len),
            FIELD("form", FORM, frame.frame.form),
            OPTIONAL("mask", MASK, frame.frame.mask, frame.frame.masked),
            FIELD("faults", U32, frame.frame.faults),
            FIELD("payload", PAYLOAD, frame.frame.payload),
        },
    },
    [CAPTURE_MORE] = {
        .name = "more",
        .count = 3,
        .at = {
            FIELD("from", SIDE, more.from),
            FIELD("faults", U32, more.faults),
            FIELD("payload", PAYLOAD, more.payload),
        },
    },
    [CAPTURE_RAW] = {
        .name = "raw",
        .count = 2,
        .at = {
            FIELD("from", SIDE, raw.from),
            FIELD("bytes", PAYLOAD, raw.bytes),
        },
    },
    [CAPTURE_SENT] = {
        .name = "sent",
        .count = 3,
        .at = {
            FIELD("to", SIDE, sent.to),
            FIELD("cause", TEXT, sent.cause),
            FIELD("bytes", BIN, sent.bytes),
        },
    },
    [CAPTURE_FAULT] = {
        .name = "fault",
        .count = 9,
        .at = {
            FIELD("from", SIDE, fault.from),
            FIELD("opcode", U8, fault.opcode),
            FIELD("message", U64, fault.message),
            FIELD("rule", TEXT, fault.rule),
            FIELD("action", TEXT, fault.action),
            FIELD("applied", BOOL, fault.applied),
            FIELD("drawn", BOOL, fault.drawn),
            FIELD("draw", U64, fault.draw),
            FIELD("text", TEXT, fault.text),
        },
    },
    [CAPTURE_END] = {
        .name = "end",
        .count = 4,
        .at = {
            FIELD("side", SIDE, end.side),
            FIELD("kind", END, end.kind),
            FIELD("by_wstape", BOOL, end.by_wstape),
            FIELD("text", TEXT, end.text),
        },
    },
    [CAPTURE_NOTE] = {
        .name = "note",
        .count = 1,
        .at = {
            FIELD("text", TEXT, note.text),
        },
    },
    [CAPTURE_GAP] = {
        .name = "gap",
        .count = 3,
        .at = {
            FIELD("records", U64, gap.records),
            FIELD("bytes", U64, gap.bytes),
            FIELD("text", TEXT, gap.text),
        },
    },
    [CAPTURE_CHECKPOINT] = {
        .name = "checkpoint",
        .count = 5,
        .at = {
            FIELD("id", U32, checkpoint.id),
            FIELD("number", U64, checkpoint.number),
            FIELD("records", U64, checkpoint.records),
            FIELD("bytes", U64, checkpoint.bytes),
            FIELD("crc_of_crcs", U32, checkpoint.crc),
        },
    },
    [CAPTURE_SUMMARY] = {
        .name = "summary",
        .count = 3,
        .at = {
            FIELD("connections", U64, summary.connections),
            FIELD("records", U64, summary.records),
            FIELD("text", TEXT, summary.text),
        },
    },
};

/* clang-format on */

const struct capture_fields *capture_fields_of(unsigned type)
{
    return type <= CAPTURE_SUMMARY ? &fields[type] : &none;
}
