/*
 * Records of every type with edge values, the same every time, and their comparison.
 */
#ifndef WSTAPE_TESTS_CAPTURES_RECORDS_H
#define WSTAPE_TESTS_CAPTURES_RECORDS_H

#include "captures/record.h"

#include <stdbool.h>

/* ---- chance that is the same every time ---- */

struct chance {
    uint64_t state;
};

uint64_t chance_next(struct chance *c);
uint64_t chance_below(struct chance *c, uint64_t limit);

/* ---- records ---- */

enum { RECORD_TYPES = 15 };
extern const enum capture_type record_types[RECORD_TYPES]; /* all there are */

/* A record of `type` whose fields are edge values as often as not. Points into static
 * memory. Payloads and heads have up to `payload_max` bytes. */
struct capture_record random_record(struct chance *c, enum capture_type type,
                                    size_t payload_max);

/* The payload of a FRAME, MORE, RAW or BODY. */
void set_payload(struct capture_record *r, struct bytes payload);

/* Stops the test when they differ in any field. */
void assert_record_equal(const struct capture_record *a,
                         const struct capture_record *b);

#endif
