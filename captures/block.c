#include "captures/encode.h"

#include "base/alloc.h"

enum {
    KEEP_MAX = 1 << 20, /* a block's memory up to here is never given back */
    QUIET_MAX = 256,    /* small blocks in a row until memory beyond that is */
};

void capture_block_init(struct capture_block *b, uint32_t id)
{
    *b = (struct capture_block){ .id = id };
}

static void drop_inserts(struct capture_block *b)
{
    for (size_t i = 0; i < b->insert_count; i++) {
        chunk_unref(b->inserts[i].slice.chunk);
    }
    b->insert_count = 0;
}

void capture_block_deinit(struct capture_block *b)
{
    if (b != NULL) {
        drop_inserts(b);
        alloc_free(b->inserts);
        buf_deinit(&b->bytes);
        *b = (struct capture_block){ .id = b->id };
    }
}

void capture_block_clear(struct capture_block *b)
{
    b->quiet = b->bytes.len < b->bytes.cap / 4 ? b->quiet + 1 : 0;
    if (b->bytes.cap > KEEP_MAX && b->quiet > QUIET_MAX) {
        buf_deinit(&b->bytes);
    }
    drop_inserts(b);
    buf_clear(&b->bytes);
    b->len = 0;
    b->records = 0;
    b->again.len = 0;
}
