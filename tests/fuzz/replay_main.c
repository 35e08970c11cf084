/*
 * Runs a fuzz target over the files and folders named, with any compiler: what was
 * found once stays found where there is no libFuzzer.
 */
#include "tests/fuzz/target.h"

#include <dirent.h>
#include <stdio.h>

static size_t replay_file(const char *path)
{
    struct buf in = { 0 };
    FILE *f = fopen(path, "rb");
    char part[4096];
    size_t n;

    if (f == NULL) {
        perror(path);
        exit(1);
    }
    while ((n = fread(part, 1, sizeof(part), f)) > 0) {
        put(&in, bytes_make(part, n));
    }
    fclose(f);
    LLVMFuzzerTestOneInput(in.at, in.len);
    buf_deinit(&in);
    return 1;
}

static size_t replay(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    size_t count = 0;

    if (d == NULL) {
        return replay_file(path);
    }
    while ((entry = readdir(d)) != NULL) {
        char name[4096];

        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
            count += replay_file(name);
        }
    }
    closedir(d);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++) {
        count += replay(argv[i]);
    }
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
