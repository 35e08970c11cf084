/* Plays each FILE whole, at every single split, and byte by byte. */
#include "base/alloc.h"
#include "tests/play/play.h"

#include <errno.h>
#include <stdio.h>

enum { MOST_SPLITS = 2000, REPORT_LEN = 4000 };

static int load(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rbe");
    size_t n = 1;
    int r = f == NULL ? -errno : 0;

    while (r == 0 && n > 0) {
        r = buf_reserve(out, 4096);
        n = r == 0 ? fread(out->at + out->len, 1, 4096, f) : 0;
        out->len += n;
    }
    if (f != NULL) {
        fclose(f);
    }
    return r;
}

static unsigned play_file(const char *path, struct bytes text, struct buf *report)
{
    size_t longest = play_whole_only(text) ? 0 : play_longest(text);
    size_t step = longest / MOST_SPLITS + 1;
    unsigned wrong = (unsigned)play_run(path, text, (struct play_split){ 0 }, report);

    for (size_t at = 1; at < longest && wrong == 0; at += step) {
        wrong +=
            (unsigned)play_run(path, text, (struct play_split){ .at = at }, report);
    }
    if (wrong == 0 && longest > 0) {
        wrong += (unsigned)play_run(path, text, (struct play_split){ .single = true },
                                    report);
    }
    return wrong;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    for (int i = 1; i < argc; i++) {
        struct buf text = { 0 }, report = { 0 };
        int r = load(argv[i], &text);

        if (r == 0 && play_file(argv[i], buf_bytes(&text), &report) == 0) {
            passed++;
        } else {
            failed++;
            printf("%s: FAILED\n%.*s\n", argv[i],
                   (int)(report.len < REPORT_LEN ? report.len : REPORT_LEN),
                   report.at == NULL ? "cannot be read" : (const char *)report.at);
        }
        buf_deinit(&text);
        buf_deinit(&report);
    }
    if (alloc_live() != 0) {
        printf("%ld allocations were not freed\n", alloc_live());
        failed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
