/*
 * tests/play/play - transcripts of sessions: what comes in, what must come out.
 *
 * A .play file is a list of inputs, each followed by what it must cause:
 *
 *   client "GET / HTTP/1.1\r\n" ...   bytes from a side: strings and hex, mixed
 *   client fin|cut|reset|error        its end
 *   open | refuse 503 | connected | unreachable "why" | wake 30s | stop 1001 "bye"
 *   websocket [deflate]               accept, open, a handshake for /ws, its answer:
 *                                     none of these is compared
 *   accept                            the client was accepted; rules may let it wait
 *   rule RULE                         in its one-line form; wherever it stands, it
 *                                     holds from the beginning
 *   seed N                            of all chance
 *   whole                             only whole: the split is what is played with
 *   silence client                    the tape failed, and bytes to a side were dropped
 *   queued client 300000              bytes waiting to be sent to a side
 *   config keep-host | body-limit 10 | idle 5s | pass-tape off
 *   + request 1 : "GET / ..."         records, in order
 *   > server "GET / ..."              outputs, in order
 *   # comment
 *
 * Whatever comes out and is not listed fails. Frames that reached the tape in pieces
 * are joined before they are compared, and so are neighbouring sends to one side, so
 * that every split of the input must give the same transcript.
 */
#ifndef WSTAPE_TESTS_PLAY_H
#define WSTAPE_TESTS_PLAY_H

#include "base/buf.h"

#include <stddef.h>

/* How the bytes of an input line reach the session. */
struct play_split {
    size_t at;   /* cut once after so many bytes; 0: do not */
    bool single; /* one byte at a time */
};

/* Run `text`; differences are appended to `report`. 0: as written; 1: not. */
int play_run(const char *name, struct bytes text, struct play_split split,
             struct buf *report);

/* The longest input line of `text` in bytes: as far as `split.at` makes sense. */
size_t play_longest(struct bytes text);

/* Does it say "whole"? */
bool play_whole_only(struct bytes text);

/* literal.c: append the bytes that `"text\r\n" 81 05 "hello"` says; `#"text"` is its
 * length, as in a frame header without mask, and the text; -EINVAL. */
int play_literal(struct bytes text, struct buf *out);
/* Append bytes as one canonical literal. */
int play_put_literal(struct buf *out, struct bytes in);

/* told.c: records of a block as transcript lines. */
struct capture_block;
int play_put_records(struct buf *out, const struct capture_block *b);

#endif
