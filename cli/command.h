/* The subcommands and the parser of their words. */
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
    const char *name;      /* "register"; NULL = the command has only the group's word */
    const char *arguments; /* for the usage line */
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
    ARGUMENT_HOSPITAL,      /* char *, an id; given as an id, its beginning, a name or part of one */
    ARGUMENT_WHOLE_HOSPITAL /* like ARGUMENT_HOSPITAL, but part of a name is not enough */
};

enum { TEXT_LIST_MAX = 400 };

struct text_list {
    char *texts[TEXT_LIST_MAX];
    size_t count;
};

/* One word that a command takes. The value may be a field of the request. */
struct argument {
    const char *name; /* "--date" is an option, "HOSPITAL_ID" a positional word */
    void *value;      /* unchanged if the word is not given */
    enum argument_type type;
    bool required;
};

/*
 * Reads the command's words into the arguments' values. The options of options.h may appear among them. Looks
 * up words that name a hospital in hospital-svc. If this returns false, the command must return *exit_code.
 * Either the usage was printed, because of --help or a mistake, or no hospital was found.
 */
bool command_read(struct session *session, const struct command *command, const struct argument *arguments,
                  size_t count, int argc, char **argv, int *exit_code);

/*
 * Prints one line "screenctl: ..." on stderr, followed by the command's usage, or by a hint at --help if
 * `command` is NULL. Returns EXIT_USAGE.
 */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the command's usage line on stdout. */
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

command_fn hospital_register, hospital_list, hospital_show, hospital_set_capacity, hospital_delete;
command_fn hospital_import, booking_book, booking_show, booking_list, booking_cancel, booking_trace;
command_fn history_customer, history_booking, history_projection, health_show, events_tail;
command_fn introspection_describe, introspection_stats, repair_places, watch_all, call_method;

#endif
