#include "protojson/timestamp.h"

#include <string.h>

#include "base/civil.h"

enum { SECONDS_PER_DAY = 86400, NANOS_PER_SECOND = 1000000000, DATE_LENGTH = CIVIL_TEXT_SIZE - 1 };

static const int64_t first_second = -62135596800; /* 0001-01-01T00:00:00Z */
static const int64_t last_second = 253402300799;  /* 9999-12-31T23:59:59Z */

/* Writes the mark and a number of that many digits. Returns the end. */
static char *put(char *out, char mark, int digits, int number)
{
    *out++ = mark;
    for (int i = digits; i > 0; i--) {
        out[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + digits;
}

bool protojson_timestamp_format(int64_t seconds, int32_t nanos, char out[PROTOJSON_TIMESTAMP_SIZE])
{
    if (seconds < first_second || seconds > last_second || nanos < 0 || nanos >= NANOS_PER_SECOND)
        return false;
    int second = (int)(seconds % SECONDS_PER_DAY);
    int64_t day = seconds / SECONDS_PER_DAY;
    if (second < 0) {
        second += SECONDS_PER_DAY;
        day--;
    }
    char *at = civil_format((int32_t)day, out) + DATE_LENGTH;
    at = put(at, 'T', 2, second / 3600);
    at = put(at, ':', 2, second / 60 % 60);
    at = put(at, ':', 2, second % 60);
    int digits = 9;
    for (; digits > 0 && nanos % 1000 == 0; digits -= 3)
        nanos /= 1000;
    if (digits > 0)
        at = put(at, '.', digits, nanos);
    memcpy(at, "Z", sizeof "Z");
    return true;
}

/*
 * Reads two digits from the text. Returns false if it does not begin with two digits, or if their value
 * exceeds `max`.
 */
static bool take_pair(const char **text, int max, int *value)
{
    const char *at = *text;
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return false;
    *value = (at[0] - '0') * 10 + (at[1] - '0');
    *text = at + 2;
    return *value <= max;
}

static bool take_char(const char **text, char wanted)
{
    if (**text != wanted)
        return false;
    (*text)++;
    return true;
}

static bool take_fraction(const char **text, int32_t *nanos)
{
    *nanos = 0;
    if (!take_char(text, '.'))
        return true;
    int digits = 0;
    while (**text >= '0' && **text <= '9' && digits < 9) {
        *nanos = *nanos * 10 + (**text - '0');
        (*text)++;
        digits++;
    }
    for (int i = digits; i < 9; i++)
        *nanos *= 10;
    return digits > 0;
}

/*
 * Reads "Z" or an offset such as "+09:00". Sets *offset_s, which is positive if local time is ahead of UTC.
 */
static bool take_offset(const char **text, int *offset_s)
{
    *offset_s = 0;
    if (take_char(text, 'Z'))
        return true;
    int sign = **text == '-' ? -1 : 1;
    int hours = 0;
    int minutes = 0;
    if (!(take_char(text, '+') || take_char(text, '-')) || !take_pair(text, 23, &hours) ||
        !take_char(text, ':') || !take_pair(text, 59, &minutes))
        return false;
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool protojson_timestamp_parse(const char *text, int64_t *seconds, int32_t *nanos)
{
    char date[CIVIL_TEXT_SIZE] = "";
    int32_t day = 0;
    memcpy(date, text, strnlen(text, DATE_LENGTH));
    if (!civil_parse(date, &day))
        return false;
    const char *at = text + DATE_LENGTH;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int offset_s = 0;
    int32_t fraction = 0;
    if (!take_char(&at, 'T') || !take_pair(&at, 23, &hour) || !take_char(&at, ':') ||
        !take_pair(&at, 59, &minute) || !take_char(&at, ':') || !take_pair(&at, 59, &second) ||
        !take_fraction(&at, &fraction) || !take_offset(&at, &offset_s) || *at != '\0')
        return false;
    int second_of_day = hour * 3600 + minute * 60 + second;
    int64_t instant = (int64_t)day * SECONDS_PER_DAY + second_of_day - offset_s;
    if (instant < first_second || instant > last_second)
        return false;
    *seconds = instant;
    *nanos = fraction;
    return true;
}
