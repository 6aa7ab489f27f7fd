/* Private to the PostgreSQL driver: `options` as a connection string holds them, "-c NAME=VALUE
 * --NAME=VALUE". */
#ifndef SCREENING_DB_PG_OPTIONS_H
#define SCREENING_DB_PG_OPTIONS_H

#include <stdbool.h>

/* As long as a URL can be. */
enum { PG_OPTION_SIZE = 2048 };

struct pg_option {
    char name[PG_OPTION_SIZE]; /* with underscores, as in pg_settings */
    char value[PG_OPTION_SIZE];
};

/*
 * Reads the next setting at *rest and moves it on; false at the end. Passes over what sets nothing, such as
 * other switches: the server itself has read them. Words end at white space; a backslash keeps the character
 * behind it.
 */
bool pg_options_next(const char **rest, struct pg_option *out);

/* Whether `options` set `name`. NULL sets nothing. */
bool pg_options_name(const char *options, const char *name);

/* How much a value of synchronous_commit promises, 0 (off) to 4 (remote_apply); -1 for any other. */
int pg_commit_rank(const char *value);

#endif
