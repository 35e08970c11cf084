/*
 * captures/file - tapes in files: the sink and the source over POSIX descriptors.
 */
#ifndef WSTAPE_CAPTURES_FILE_H
#define WSTAPE_CAPTURES_FILE_H

#include "base/err.h"
#include "captures/reader.h"
#include "captures/writer.h"

/* Make a tape file, mode 0600, never over an existing file unless it is empty or not a
 * regular file (a pipe, /dev/full); "-" is stdout. A negative errno with words. */
int capture_file_create(const char *path, struct capture_sink *out, struct err *e);

/* Its file descriptor, for syncing in the background. */
int capture_file_descriptor(const struct capture_sink *s);

/* Close; the sink's object is gone. A negative errno that close reported. */
int capture_file_close(struct capture_sink *s);

/* Open a tape for reading; "-" is stdin (spooled to an unlinked temporary file). */
int capture_file_open(const char *path, struct capture_source *out, struct err *e);
void capture_file_release(struct capture_source *s);

#endif
