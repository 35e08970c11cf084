/*
 * proxy/output - what sessions want done, in order, once the tape is flushed.
 *
 * One list serves all sessions of a loop turn. Appending keeps a reference to the slice
 * of a SEND; whoever performs or drops the list gives it back.
 */
#ifndef WSTAPE_PROXY_OUTPUT_H
#define WSTAPE_PROXY_OUTPUT_H

#include "base/chunk.h"
#include "wire/side.h"

#include <stdbool.h>
#include <stdint.h>

enum proxy_output_kind {
    PROXY_SEND,    /* bytes to a side */
    PROXY_READ,    /* turn reading from a side on or off */
    PROXY_CONNECT, /* reach the backend */
    PROXY_FIN,     /* end the direction to a side; with TLS, close_notify first */
    PROXY_CUT,     /* as FIN, without close_notify */
    PROXY_RESET,   /* RST to a side; a connect under way is given up */
    PROXY_ACCEPT,  /* let the client in: begin TLS, or call proxy_session_opened */
    PROXY_WAKE,    /* call proxy_session_wake at a time, replacing an earlier one */
    PROXY_CLOSE,   /* the session is over: close what is still open */
};

/* What the listening TLS does wrong on purpose. */
enum proxy_tls_fault {
    PROXY_TLS_SOUND,
    PROXY_TLS_EXPIRED,
    PROXY_TLS_SELF_SIGNED,
    PROXY_TLS_WRONG_HOST,
    PROXY_TLS_ABORT,
    PROXY_TLS_FAULTS,
};

struct proxy_output {
    void *owner; /* of the session that said it */
    uint8_t kind;
    uint8_t side; /* enum side: SEND, READ, FIN, CUT, RESET */
    bool on;      /* READ */
    uint8_t tls;  /* ACCEPT: enum proxy_tls_fault */
    union {
        struct slice send; /* SEND */
        int64_t wake_at;   /* WAKE: monotonic; negative: never */
    } u;
};

struct proxy_outputs {
    struct proxy_output *at;
    size_t count, cap;
};

/* Append; -ENOMEM. */
int proxy_outputs_put(struct proxy_outputs *o, const struct proxy_output *out);

/* Append a SEND with its own reference; grows the last one instead when it continues it
 * in the same chunk. -ENOMEM. */
int proxy_outputs_send(struct proxy_outputs *o, void *owner, enum side to,
                       struct slice bytes);

/* Drop the first `count`, references included; those behind them move up. */
void proxy_outputs_drop(struct proxy_outputs *o, size_t count);

/* Drop all. */
void proxy_outputs_clear(struct proxy_outputs *o);

void proxy_outputs_deinit(struct proxy_outputs *o);

#endif
