/* Handles the options that all commands have, such as service addresses, timeout and output format. */
#ifndef SCREENING_CLI_OPTIONS_H
#define SCREENING_CLI_OPTIONS_H

#include "command.h"

enum option_result {
    OPTION_OTHER,  /* none of these options */
    OPTION_WRONG,  /* an error was printed */
    OPTION_SWITCH, /* the option consists of the name only */
    OPTION_VALUE   /* the option consists of the name and a value */
};

/* Splits "--name=value" in place. Returns the value, or NULL if the word has none. */
char *option_split(char *word);

/* Returns whether a word is an option, "--name" or "-x". A negative number and a lone "-" are values. */
bool option_is(const char *word);

/*
 * Handles the option `name` with `value` (NULL = no value follows). Errors show the usage of `command`. If
 * `command` is NULL, the option precedes the command, and --hospital, --booking and --history also set
 * addresses.
 */
enum option_result options_take(struct session *session, const struct command *command, const char *name,
                                const char *value);

/* Checks the values from the environment. Prints an error and returns false if one is malformed. */
bool options_check_environment(const struct session *session);

/*
 * Checks, once all options have been read, that calls may be sent to the addresses. Prints an error with the
 * usage of `command` and returns false if an address is beyond this machine and has no TLS, unless
 * session->insecure is set, or if --tls-ca was given and no address uses TLS.
 */
bool options_check_addresses(const struct session *session, const struct command *command);

/* Prints the part of --help that describes these options. */
void options_print_help(void);

#endif
