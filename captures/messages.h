/*
 * captures/messages - the frames of one direction, joined to messages.
 *
 * Takes FRAME and MORE records in tape order and gives whole messages (RFC 6455,
 * section 5.4): fragments joined, control frames in their place, permessage-deflate
 * undone (RFC 7692) where the tape allows it. Never refuses a frame and never guesses:
 * what cannot be decoded keeps its payload as it was on the wire, and `coding` says
 * why. Prints nothing.
 */
#ifndef WSTAPE_CAPTURES_MESSAGES_H
#define WSTAPE_CAPTURES_MESSAGES_H

#include "base/buf.h"
#include "captures/record.h"
#include "wire/deflate.h"
#include "wire/handshake.h"

#include <stdbool.h>

/* How the payload relates to what was on the wire. */
enum capture_coding {
    CAPTURE_PLAIN,              /* the same bytes */
    CAPTURE_INFLATED,           /* permessage-deflate, decoded */
    CAPTURE_CODED_INCOMPLETE,   /* compressed, and its end is not on the tape */
    CAPTURE_CODED_LOST,         /* refers to messages the tape does not have */
    CAPTURE_CODED_CORRUPT,      /* not a deflate stream */
    CAPTURE_CODED_LARGE,        /* compressed payload over the limit */
    CAPTURE_CODED_UNKNOWN,      /* an extension that wstape does not know */
    CAPTURE_CODED_NO_HANDSHAKE, /* the handshake is not on the tape */
};

/* Why it was not decoded, in words; NULL for PLAIN and INFLATED. */
const char *capture_coding_text(enum capture_coding c);

struct capture_message {
    enum side from;
    enum capture_coding coding;
    struct capture_frame frame; /* header of the first frame; its payload is empty */
    bool compressed;            /* RSV1 of permessage-deflate */
    bool incomplete;            /* its end (or something in it) is not on the tape */
    bool cut;                   /* `payload` is not all of it, for a limit's sake */
    bool over;                  /* more than `size` bytes: inflating stopped there */
    bool withheld;      /* set by the timeline: nobody got it (captures/passage) */
    uint32_t faults;    /* WIRE_FAULT_* bits of all its frames */
    uint32_t fragments; /* frames it came in */
    uint64_t pieces;    /* records it came in */
    uint64_t number; /* text and binary count from 1 in each direction; others have 0 */
    int64_t time_ns; /* of its first record */
    int64_t end_ns;  /* of its last record */
    uint64_t size;   /* decoded bytes, or wire bytes where it is not decoded */
    uint64_t wire_size;   /* payload bytes as they passed */
    struct bytes payload; /* decoded; borrowed until the callback returns */
};

static inline unsigned capture_message_opcode(const struct capture_message *m)
{
    return m->frame.first & 0x0fU;
}

/* What all directions of a tape share. */
struct capture_messages_rules {
    size_t keep;  /* payload bytes the consumer wants of a message, at most `limit` */
    size_t limit; /* bytes of compressed or inflated payload held for one message */
    bool frames;  /* give every frame by itself, as it is, instead of messages */
    bool doubt; /* records may be missing: what came in several pieces is incomplete */
    size_t held, held_max; /* payload bytes held now and at most, in all directions */
    struct buf inflated;   /* scratch; belongs to whoever made this struct */
    /* Called for every message at its end. A negative value ends the run. */
    int (*message)(void *owner, uint32_t connection, const struct capture_message *m);
    void *owner;
};

struct capture_messages {
    struct capture_messages_rules *rules; /* borrowed: outlives the direction */
    struct wire_inflate *inflate;
    struct capture_message data, control; /* in progress: fragments is not 0 */
    struct buf data_held, control_held;
    struct capture_message
        *current;   /* whose frame is in progress; NULL between frames */
    uint64_t left;  /* payload bytes of that frame still to come */
    uint64_t count; /* messages that began */
    uint32_t connection;
    enum side from;
    bool last;   /* the frame in progress ends its message */
    bool shaken; /* the handshake was seen */
    bool agreed; /* it agreed on permessage-deflate */
    bool fresh;  /* without context takeover */
    bool others; /* it named other extensions */
    bool lost;   /* the inflate context does not fit any more */
};

/* Allocates nothing. */
void capture_messages_init(struct capture_messages *m, struct capture_messages_rules *r,
                           uint32_t connection, enum side from);

/* Gives nothing out: call capture_messages_end first where that matters. */
void capture_messages_deinit(struct capture_messages *m);

/* The handshake on the tape agreed on this. `others`: it named further extensions. */
void capture_messages_agree(struct capture_messages *m,
                            const struct wire_deflate_params *p, bool others);

/* A FRAME record's frame. 0, a negative value of the callback, or -ENOMEM. */
int capture_messages_frame(struct capture_messages *m, const struct capture_frame *f,
                           int64_t time_ns);

enum { CAPTURE_MESSAGES_STRAY = 1 }; /* no frame is in progress: its start is missing */

/* A MORE record's payload and faults. As above, or STRAY. */
int capture_messages_more(struct capture_messages *m, struct bytes payload,
                          uint32_t faults, int64_t time_ns);

/* Records are missing here: what is in progress is given out as incomplete, and
 * messages that refer back cannot be decoded from now on. */
int capture_messages_lose(struct capture_messages *m);

/* The direction is over: as lose, and memory is given back. */
int capture_messages_end(struct capture_messages *m);

#endif
