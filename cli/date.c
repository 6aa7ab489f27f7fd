#include "date.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/civil.h"

enum { DAYS_AHEAD_MAX = 36500, DAYS_DIGITS_MAX = 5 };

bool date_read(const char *text, int32_t today, int32_t *day)
{
    if (text[0] != '+')
        return civil_parse(text, day);
    size_t length = strlen(text + 1);
    if (length == 0 || length > DAYS_DIGITS_MAX || strspn(text + 1, "0123456789") != length)
        return false;
    long ahead = strtol(text + 1, NULL, 10);
    if (ahead > DAYS_AHEAD_MAX)
        return false;
    *day = today + (int32_t)ahead;
    return true;
}

char *date_time_format(int64_t second, char out[DATE_TIME_SIZE])
{
    time_t time = (time_t)second;
    struct tm local = {0};
    if (localtime_r(&time, &local) == NULL || strftime(out, DATE_TIME_SIZE, "%F %T", &local) == 0)
        memcpy(out, "-", sizeof "-"); /* the year has more than four digits */
    return out;
}
