#include "base/civil.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { S_PER_DAY = 86400 };

/* 0001-01-01 and 9999-12-31, the range of four-digit years. */
enum { FIRST_DAY = -719162, LAST_DAY = 2932896 };

/* Changes with every successful civil_zone_set, to invalidate the threads' caches. */
static atomic_uint zone_number = 1;

#define ZONE_FOLDER "/usr/share/zoneinfo"

static int64_t floor_divide(int64_t dividend, int64_t divisor)
{
    int64_t quotient = dividend / divisor;
    return dividend % divisor < 0 ? quotient - 1 : quotient;
}

/*
 * Both conversions count years from March, so that the leap day is the last day of a year, and days from
 * 0000-03-01 in eras of 400 years (Howard Hinnant, "chrono-compatible low-level date algorithms"). Year 0
 * occurs only internally.
 */
enum { DAYS_PER_ERA = 146097, EPOCH_FROM_MARCH_0000 = 719468 };

static int32_t day_of(int32_t year, int32_t month, int32_t day_of_month)
{
    int32_t march_year = month <= 2 ? year - 1 : year;
    int32_t era = march_year / 400;
    int32_t year_of_era = march_year % 400;
    int32_t month_from_march = (month + 9) % 12;
    int32_t day_of_year = (153 * month_from_march + 2) / 5 + day_of_month - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - EPOCH_FROM_MARCH_0000;
}

static void split_day(int32_t day, unsigned *year, unsigned *month, unsigned *day_of_month)
{
    unsigned from_march_0000 = (unsigned)(day + EPOCH_FROM_MARCH_0000);
    unsigned era = from_march_0000 / DAYS_PER_ERA;
    unsigned day_of_era = from_march_0000 % DAYS_PER_ERA;
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;
    *day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = era * 400 + year_of_era + (*month <= 2 ? 1 : 0);
}

static int32_t month_length(int32_t year, int32_t month)
{
    static const int32_t LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : LENGTHS[month - 1];
}

/* Reads exactly `digits` digits. Returns false at the first character that is not a digit, including NUL. */
static bool read_number(const char *text, size_t digits, int32_t *out)
{
    int32_t number = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        number = number * 10 + (text[i] - '0');
    }
    *out = number;
    return true;
}

bool civil_parse(const char *text, int32_t *day)
{
    int32_t year;
    int32_t month;
    int32_t day_of_month;
    if (text == NULL || !read_number(text, 4, &year) || text[4] != '-' || !read_number(text + 5, 2, &month) ||
        text[7] != '-' || !read_number(text + 8, 2, &day_of_month) || text[10] != '\0')
        return false;
    if (year < 1 || month < 1 || month > 12 || day_of_month < 1 || day_of_month > month_length(year, month))
        return false;
    *day = day_of(year, month, day_of_month);
    return true;
}

static void write_number(char *out, size_t digits, unsigned number)
{
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
}

char *civil_format(int32_t day, char out[CIVIL_TEXT_SIZE])
{
    int32_t shown = day < FIRST_DAY ? FIRST_DAY : day > LAST_DAY ? LAST_DAY : day;
    unsigned year;
    unsigned month;
    unsigned day_of_month;
    split_day(shown, &year, &month, &day_of_month);
    memcpy(out, "0000-00-00", CIVIL_TEXT_SIZE);
    write_number(out, 4, year);
    write_number(out + 5, 2, month);
    write_number(out + 8, 2, day_of_month);
    return out;
}

/* Checks the file's magic number, because the zones' folder also contains directories and other files. */
static bool is_zone_file(const char *path)
{
    char magic[4] = "";
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(file, magic, sizeof magic);
    (void)close(file); /* an error does not matter after reading */
    return got == (ssize_t)sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
}

enum status civil_zone_set(const char *zone, struct error *error)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, ZONE_FOLDER "/%s", zone);
    if (length < 0 || (size_t)length >= sizeof path || zone[0] == '/' || strstr(zone, "..") != NULL ||
        !is_zone_file(path))
        return error_invalid(error, "no time zone \"%s\" in " ZONE_FOLDER, zone);
    /* Set the whole path, so that tzset loads the file just checked even if TZDIR points elsewhere. */
    if (setenv("TZ", path, 1) != 0)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "time zone: %s", strerror(errno));
    tzset();
    atomic_fetch_add(&zone_number, 1);
    return STATUS_OK;
}

static int32_t day_at(time_t second)
{
    struct tm local = {0};
    (void)localtime_r(&second, &local); /* fails only for a year beyond int, which no instant has */
    return (int32_t)floor_divide(second + local.tm_gmtoff, S_PER_DAY);
}

int32_t civil_day_at(int64_t instant_us)
{
    /*
     * Caches the latest result, because the writer thread calls this function in each batch, and localtime_r
     * takes a lock and searches the zone's rules.
     */
    static _Thread_local struct {
        time_t second;
        int32_t day;
        unsigned zone_number; /* 0 = empty */
    } latest;
    time_t second = (time_t)floor_divide(instant_us, US_PER_S);
    unsigned number = atomic_load_explicit(&zone_number, memory_order_relaxed);
    if (latest.second != second || latest.zone_number != number) {
        latest.day = day_at(second);
        latest.second = second;
        latest.zone_number = number;
    }
    return latest.day;
}
