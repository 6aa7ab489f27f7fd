/*
 * Private to the PostgreSQL driver. Parses the `options` of a connection string, such as "-c NAME=VALUE
 * --NAME=VALUE".
 */
#ifndef SCREENING_DB_PG_OPTIONS_H
#define SCREENING_DB_PG_OPTIONS_H

#include <stdbool.h>

/* The size of the longest possible URL. */
enum { PG_OPTION_SIZE = 2048 };

struct pg_option {
    char name[PG_OPTION_SIZE]; /* with underscores, as in pg_settings */
    char value[PG_OPTION_SIZE];
};

/*
 * Reads the next setting at *rest and advances *rest. Returns false at the end. Skips words that are not
 * settings, such as other switches, because the server itself has checked them. Words end at white space. A
 * backslash escapes the next character.
 */
bool pg_options_next(const char **rest, struct pg_option *out);

/* Returns whether `options` contain the setting `name`. NULL contains none. */
bool pg_options_name(const char *options, const char *name);

/*
 * Returns the strength of a synchronous_commit value, from 0 (off) to 4 (remote_apply). Returns -1 for any
 * other value.
 */
int pg_commit_rank(const char *value);

#endif
