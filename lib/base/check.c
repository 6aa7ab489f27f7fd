#include "base/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Shortens a path to its last folder and the file name. The rest depends on where the program was built. */
static const char *short_name(const char *file)
{
    const char *start = file;
    for (const char *slash = strchr(file, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
        if (strchr(slash + 1, '/') != NULL)
            start = slash + 1;
    return start;
}

void check_failed(const char *condition, const char *file, int line)
{
    log_last("check.failed", LOG_TEXT("condition", condition), LOG_TEXT("file", short_name(file)),
             LOG_INT("line", line));
    abort();
}
