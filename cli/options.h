/* The options that every command knows: where the services are, how long to wait, how to answer. */
#ifndef SCREENING_CLI_OPTIONS_H
#define SCREENING_CLI_OPTIONS_H

#include "command.h"

enum option_result {
    OPTION_OTHER,  /* none of these options */
    OPTION_WRONG,  /* the error was printed */
    OPTION_SWITCH, /* took the name only */
    OPTION_VALUE   /* took the name and its value */
};

/* Splits "--name=value" in place; returns the value, NULL if the word has none. */
char *option_split(char *word);

/* "--name" or "-x"; a negative number and a lone "-" are values. */
bool option_is(const char *word);

/*
 * Takes the option `name` with `value` (NULL: no word follows). `command` is what errors show the usage of;
 * NULL: the option stands before the command, where --hospital, --booking and --history name addresses too.
 */
enum option_result options_take(struct session *session, const struct command *command, const char *name,
                                const char *value);

/* Whether the addresses that the environment names are well-formed; else false after printing the error. */
bool options_check_environment(const struct session *session);

/* The options' part of --help. */
void options_print_help(void);

#endif
