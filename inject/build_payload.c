#include "base/alloc.h"
#include "base/text.h"
#include "inject/build_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 16 * 1024 * 1024, PATH_LEN_MAX = 4096 };

static void keep(struct inject_builder *b, struct bytes bytes, struct inject_act *out)
{
    uint8_t *copy = inject_room(b, bytes.len + 1, 1);

    if (copy == NULL) {
        return;
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.at, bytes.len);
    }
    alloc_free(out->payload);
    out->payload = copy;
    out->payload_len = bytes.len;
    out->payload_set = true;
}

/* ---- text and json ---- */

static void keep_text(struct inject_builder *b, const struct inject_tree_node *n,
                      struct inject_act *out)
{
    if (n->kind != INJECT_TREE_SCALAR || inject_tree_is_null(n)) {
        inject_unfit(b, n, inject_action_name(out->action),
                     "a text (an empty one is \"\")");
        return;
    }
    keep(b, n->text, out);
}

static void keep_json(struct inject_builder *b, const struct inject_tree_node *n,
                      struct inject_act *out)
{
    struct buf json = { 0 };

    if (inject_build_json(b, n, &json)) {
        keep(b, buf_bytes(&json), out);
    }
    buf_deinit(&json);
}

/* ---- base64 (RFC 4648, section 4); blanks and ends of lines may be anywhere ---- */

static int base64_digit(uint8_t c)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* 1: it is none. */
static int decode_base64(struct bytes text, struct buf *out)
{
    unsigned bits = 0, count = 0, padding = 0;
    int r = 0;

    for (size_t i = 0; r == 0 && i < text.len; i++) {
        int digit = base64_digit(text.at[i]);

        if (is_blank(text.at[i])) {
            continue;
        }
        if (text.at[i] == '=') {
            padding++;
            continue;
        }
        if (digit < 0 || padding > 0) {
            return 1;
        }
        bits = bits << 6 | (unsigned)digit;
        if (++count % 4 != 1) {
            r = buf_put_byte(out, (uint8_t)(bits >> (6 - 2 * ((count - 1) % 4))));
        }
    }
    if (r == 0 && (count % 4 == 1 || (count + padding) % 4 != 0 || padding > 2)) {
        return 1;
    }
    return r;
}

static void keep_base64(struct inject_builder *b, const struct inject_tree_node *n,
                        struct inject_act *out)
{
    struct buf bytes = { 0 };
    int r = 1;

    if (n->kind == INJECT_TREE_SCALAR && !inject_tree_is_null(n)) {
        r = decode_base64(n->text, &bytes);
    }
    if (r == 1) {
        inject_unfit(b, n, "binary", "base64");
    } else if (r < 0) {
        b->failed = r;
    } else {
        keep(b, buf_bytes(&bytes), out);
        out->payload_binary = true;
    }
    buf_deinit(&bytes);
}

/* ---- files ---- */

static int read_open_file(int fd, struct buf *out)
{
    ssize_t got = 1;
    int r = 0;

    while (r == 0 && got > 0 && out->len <= FILE_MAX) {
        r = buf_reserve(out, 65536);
        if (r == 0) {
            got = read(fd, out->at + out->len, 65536);
            r = got < 0 ? -errno : 0;
            out->len += got > 0 ? (size_t)got : 0;
        }
    }
    return r == 0 && out->len > FILE_MAX ? -EFBIG : r;
}

/* A pipe or device would not end, so it is not even opened for long. */
static int read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat facts;
    int r;

    if (fd < 0) {
        return -errno;
    }
    r = fstat(fd, &facts) < 0 ? -errno : 0;
    if (r == 0 && S_ISDIR(facts.st_mode)) {
        r = -EISDIR;
    } else if (r == 0 && !S_ISREG(facts.st_mode)) {
        r = -EINVAL;
    }
    r = r < 0 ? r : read_open_file(fd, out);
    close(fd);
    return r;
}

static const char *reason(int r)
{
    return r == -EFBIG    ? "it is larger than 16M"
           : r == -EINVAL ? "it is no ordinary file"
                          : strerror(-r);
}

static void keep_file(struct inject_builder *b, const struct inject_tree_node *n,
                      struct inject_act *out)
{
    const char *folder = b->source->folder;
    char *name = NULL;
    char path[PATH_LEN_MAX];
    struct buf bytes = { 0 };
    int r = -ENAMETOOLONG, len;

    if (!inject_value_text(b, n, "file", &name)) {
        return;
    }
    len = name[0] == '/' ? snprintf(path, sizeof(path), "%s", name)
                         : snprintf(path, sizeof(path), "%s/%s",
                                    folder == NULL ? "." : folder, name);
    if (folder == NULL) {
        inject_wrong(b, n, "file: rules from here cannot name files");
    } else {
        r = (size_t)len < sizeof(path) ? read_file(path, &bytes) : r;
        if (r == -ENOMEM) {
            b->failed = r;
        } else if (r < 0) {
            inject_wrong(b, n, "file: cannot read %s: %s",
                         inject_quote(bytes_of(path)).text, reason(r));
        } else {
            keep(b, buf_bytes(&bytes), out);
        }
    }
    buf_deinit(&bytes);
    alloc_free(name);
}

void inject_build_payload(struct inject_builder *b, const struct inject_tree_node *n,
                          enum inject_param_kind kind, struct inject_act *out)
{
    switch ((int)kind) {
    case INJECT_PARAM_JSON:
        keep_json(b, n, out);
        return;
    case INJECT_PARAM_FILE:
        keep_file(b, n, out);
        return;
    case INJECT_PARAM_BASE64:
        keep_base64(b, n, out);
        return;
    default:
        keep_text(b, n, out);
    }
}
