/* Declares the subcommands, and parses their words. */
#ifndef SCREENING_CLI_COMMAND_H
#define SCREENING_CLI_COMMAND_H

#include "session.h"

#include <stdbool.h>
#include <stddef.h>

struct Screening__V1__Booking;
struct Screening__V1__Hospital;

struct command;

/* Runs the command with the words that follow its name. Returns an exit code. */
typedef int command_fn(struct session *session, const struct command *command, int argc, char **argv);

struct command {
    const char *group;     /* "hospital" */
    const char *name;      /* such as "register"; NULL = the group's word alone is the command */
    const char *arguments; /* the arguments in the usage line */
    const char *summary;
    command_fn *run;
};

enum argument_type {
    ARGUMENT_TEXT,          /* char * */
    ARGUMENT_NUMBER,        /* uint32_t */
    ARGUMENT_HEADCOUNT,     /* uint32_t, 1 to 100 */
    ARGUMENT_CAPACITY,      /* uint32_t, 0 to 100000 */
    ARGUMENT_SWITCH,        /* protobuf_c_boolean */
    ARGUMENT_DATE,          /* char *, YYYY-MM-DD in the session's arena */
    ARGUMENT_STATUS,        /* Screening__V1__BookingStatus */
    ARGUMENT_LIST,          /* struct text_list, for a repeatable option */
    ARGUMENT_HOSPITAL,      /* char *, an id; the user gives an id, its beginning, a name or part of a name */
    ARGUMENT_WHOLE_HOSPITAL /* like ARGUMENT_HOSPITAL, but part of a name is not enough */
};

enum { TEXT_LIST_MAX = 400 };

struct text_list {
    char *texts[TEXT_LIST_MAX];
    size_t count;
};

/* An option or a positional argument of a command. `value` may point to a field of the request. */
struct argument {
    const char *name; /* "--date" is an option, "HOSPITAL_ID" a positional argument */
    void *value;      /* unchanged if the word is not given */
    enum argument_type type;
    bool required;
};

/*
 * Reads the command's words into the arguments' values. The options of options.h may appear among them. Looks
 * up hospital names in hospital-svc. Returns false if the usage was printed, because of --help or a mistake,
 * or if a hospital could not be looked up. The command must then return *exit_code.
 */
bool command_read(struct session *session, const struct command *command, const struct argument *arguments,
                  size_t count, int argc, char **argv, int *exit_code);

/*
 * Prints one line "screenctl: ..." on stderr, followed by the command's usage or, if `command` is NULL, by a
 * hint to use --help. Returns EXIT_USAGE.
 */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the command's usage line and its summary on stdout. */
void usage_print(const struct command *command);

enum { HEADCOUNT_MAX = 100, CAPACITY_MAX = 100000 };

/* Reads a whole number from 0 to `max`. Returns false for any other text. */
bool number_read(const char *text, uint32_t max, uint32_t *out);

/*
 * Prints a booking as the command's result. Returns EXIT_FAILED for NULL, which client_ask returns on
 * failure.
 */
int booking_output(struct session *session, const struct Screening__V1__Booking *booking);

/*
 * Prints a hospital and its days as the command's result. Returns EXIT_FAILED for NULL, like booking_output.
 */
int hospital_output(struct session *session, const struct Screening__V1__Hospital *hospital);

/* ---- the commands, each in its group's file ---- */

extern const struct command HOSPITAL_REGISTER, HOSPITAL_LIST, HOSPITAL_SHOW, HOSPITAL_SET_CAPACITY,
    HOSPITAL_DELETE, HOSPITAL_IMPORT, BOOKING_BOOK, BOOKING_SHOW, BOOKING_LIST, BOOKING_CANCEL, BOOKING_TRACE,
    HISTORY_CUSTOMER, HISTORY_BOOKING, HISTORY_PROJECTION, HEALTH_SHOW, EVENTS_TAIL, INTROSPECTION_DESCRIBE,
    INTROSPECTION_STATS, REPAIR_PLACES, WATCH_ALL, CALL_METHOD, PKI_INIT, PKI_RENEW, PKI_REVOKE, PKI_SHOW,
    KEYS_ROTATE, KEYS_PRUNE, TOKEN_ISSUE, TOKEN_SHOW, ISSUER_FETCH;

#endif
