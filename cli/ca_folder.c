#include "cli/ca_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value == NULL || value[0] == '\0' ? NULL : value;
}

int cli_ca_folder(char *out, size_t cap, struct err *e)
{
    const char *base = variable("WSTAPE_CA_DIR");
    const char *below = "";
    int n;

    if (base == NULL) {
        base = variable("XDG_DATA_HOME");
        below = "/wstape";
        if (base != NULL && base[0] != '/') {
            base = NULL;
        }
    }
    if (base == NULL) {
        base = variable("HOME");
        below = "/.local/share/wstape";
    }
    if (base == NULL) {
        return err_set(e, -ENOENT,
                       "no place for the local authority: set HOME or WSTAPE_CA_DIR");
    }
    n = snprintf(out, cap, "%s%s", base, below);
    if (n < 0 || (size_t)n >= cap) {
        return err_set(e, -ENAMETOOLONG,
                       "the folder of the local authority has too long a name: set "
                       "WSTAPE_CA_DIR to a shorter one");
    }
    return 0;
}
