#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

int err_set(struct err *e, int code, const char *format, ...)
{
    va_list args;

    if (e != NULL) {
        va_start(args, format);
        vsnprintf(e->text, sizeof(e->text), format, args);
        va_end(args);
    }
    return code;
}
