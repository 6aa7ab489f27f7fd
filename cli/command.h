/* The subcommands and the parser of their words. */
#ifndef SCREENING_CLI_COMMAND_H
#define SCREENING_CLI_COMMAND_H

#include "session.h"

#include <stdbool.h>
#include <stddef.h>

struct Screening__V1__Booking;
struct Screening__V1__Hospital;

struct command {
    const char *group;     /* "hospital" */
    const char *name;      /* "register"; NULL: the command has only the group's word */
    const char *arguments; /* for the usage line */
    const char *summary;
    /* Runs with the words that follow the command's name; returns an exit code. */
    int (*run)(struct session *session, const struct command *command, int argc, char **argv);
};

enum argument_type {
    ARGUMENT_TEXT,          /* char * */
    ARGUMENT_NUMBER,        /* uint32_t */
    ARGUMENT_HEADCOUNT,     /* uint32_t, 1 to 100 */
    ARGUMENT_CAPACITY,      /* uint32_t, 0 to 100000 */
    ARGUMENT_SWITCH,        /* protobuf_c_boolean */
    ARGUMENT_DATE,          /* char *, YYYY-MM-DD in the session's arena */
    ARGUMENT_STATUS,        /* Screening__V1__BookingStatus */
    ARGUMENT_LIST,          /* struct text_list: the option is repeatable */
    ARGUMENT_HOSPITAL,      /* char *, an id: given as an id, its beginning, a name or part of one */
    ARGUMENT_WHOLE_HOSPITAL /* the same, but part of a name is not enough */
};

enum { TEXT_LIST_MAX = 400 };

struct text_list {
    char *texts[TEXT_LIST_MAX];
    size_t count;
};

/* One word that a command takes. The value may be a field of the request. */
struct argument {
    const char *name; /* "--date" is an option, "HOSPITAL_ID" a positional word */
    void *value;      /* unchanged when the word is not given */
    enum argument_type type;
    bool required;
};

/*
 * Reads the command's words into the arguments' values. The options of options.h may appear among them. Looks
 * up words that name a hospital in hospital-svc. On false the command must return *exit_code: either it
 * printed the usage, because of --help or a mistake, or no hospital was found.
 */
bool command_read(struct session *session, const struct command *command, const struct argument *arguments,
                  size_t count, int argc, char **argv, int *exit_code);

/*
 * Prints one line "screenctl: ..." and the command's usage on stderr; with `command` NULL a hint at --help.
 * Returns EXIT_USAGE.
 */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the command's usage line on stdout. */
void usage_print(const struct command *command);

enum { HEADCOUNT_MAX = 100, CAPACITY_MAX = 100000 };

/* Reads a whole number from 0 to `max`. */
bool number_read(const char *text, uint32_t max, uint32_t *out);

/*
 * Prints a booking as the command's result. Returns EXIT_FAILED for NULL, as client_ask returns on failure.
 */
int booking_output(struct session *session, const struct Screening__V1__Booking *booking);

/* Prints a hospital and its days as the command's result. Returns EXIT_FAILED for NULL likewise. */
int hospital_output(struct session *session, const struct Screening__V1__Hospital *hospital);

/* ---- the commands, each in its group's file ---- */

int hospital_register(struct session *session, const struct command *command, int argc, char **argv);
int hospital_list(struct session *session, const struct command *command, int argc, char **argv);
int hospital_show(struct session *session, const struct command *command, int argc, char **argv);
int hospital_set_capacity(struct session *session, const struct command *command, int argc, char **argv);
int hospital_delete(struct session *session, const struct command *command, int argc, char **argv);
int hospital_import(struct session *session, const struct command *command, int argc, char **argv);
int booking_book(struct session *session, const struct command *command, int argc, char **argv);
int booking_show(struct session *session, const struct command *command, int argc, char **argv);
int booking_list(struct session *session, const struct command *command, int argc, char **argv);
int booking_cancel(struct session *session, const struct command *command, int argc, char **argv);
int booking_trace(struct session *session, const struct command *command, int argc, char **argv);
int history_customer(struct session *session, const struct command *command, int argc, char **argv);
int history_booking(struct session *session, const struct command *command, int argc, char **argv);
int history_projection(struct session *session, const struct command *command, int argc, char **argv);
int health_show(struct session *session, const struct command *command, int argc, char **argv);
int events_tail(struct session *session, const struct command *command, int argc, char **argv);
int introspection_describe(struct session *session, const struct command *command, int argc, char **argv);
int introspection_stats(struct session *session, const struct command *command, int argc, char **argv);
int repair_places(struct session *session, const struct command *command, int argc, char **argv);
int watch_all(struct session *session, const struct command *command, int argc, char **argv);
int call_method(struct session *session, const struct command *command, int argc, char **argv);

#endif
