/* The subcommands, and how their words are read. */
#ifndef SCREENING_CLI_COMMAND_H
#define SCREENING_CLI_COMMAND_H

#include "session.h"

#include <stdbool.h>
#include <stddef.h>

struct Screening__V1__Booking;
struct Screening__V1__Hospital;

struct command {
    const char *group;     /* "hospital" */
    const char *name;      /* "register"; NULL: the group is the command */
    const char *arguments; /* as shown in the usage line */
    const char *summary;
    /* Runs with the words after the command's own; returns an exit code. */
    int (*run)(struct session *session, const struct command *command, int argc, char **argv);
};

enum argument_type {
    ARGUMENT_TEXT,      /* char * */
    ARGUMENT_NUMBER,    /* uint32_t */
    ARGUMENT_HEADCOUNT, /* uint32_t, 1 to 100 */
    ARGUMENT_CAPACITY,  /* uint32_t, 0 to 100000 */
    ARGUMENT_SWITCH,    /* protobuf_c_boolean */
    ARGUMENT_DATE,      /* char *, YYYY-MM-DD in the session's arena */
    ARGUMENT_STATUS,    /* Screening__V1__BookingStatus */
    ARGUMENT_LIST,      /* struct text_list: may be given several times */
    ARGUMENT_HOSPITAL,  /* char *, an id: typed as one, as the beginning of one, as a name or a part of it */
    ARGUMENT_WHOLE_HOSPITAL /* the same, but a part of a name does not do */
};

enum { TEXT_LIST_MAX = 400 };

struct text_list {
    char *texts[TEXT_LIST_MAX];
    size_t count;
};

/* One word that a command takes; the value may lie in the very request that will be sent. */
struct argument {
    const char *name; /* "--date" is an option, "HOSPITAL_ID" a word by its place */
    void *value;      /* kept as it is when not given */
    enum argument_type type;
    bool required;
};

/*
 * Reads the command's words into the arguments' values; the options of options.h may stand among them. A word
 * that names a hospital is looked up in hospital-svc. When false, *exit_code is what the command has to
 * return: the usage was printed, because of --help or of a mistake, or a hospital was not found.
 */
bool command_read(struct session *session, const struct command *command, const struct argument *arguments,
                  size_t count, int argc, char **argv, int *exit_code);

/* One line "screenctl: ..." and the command's usage on stderr; `command` NULL: a hint at --help. Returns
 * EXIT_USAGE. */
int usage_error(const struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The command's usage line, on stdout. */
void usage_print(const struct command *command);

enum { HEADCOUNT_MAX = 100, CAPACITY_MAX = 100000 };

/* A whole number from 0 to `max`. */
bool number_read(const char *text, uint32_t max, uint32_t *out);

/* A booking as a command's answer; EXIT_FAILED for NULL, after client_ask. */
int booking_output(struct session *session, const struct Screening__V1__Booking *booking);

/* A hospital and its days as a command's answer; EXIT_FAILED for NULL, after client_ask. */
int hospital_output(struct session *session, const struct Screening__V1__Hospital *hospital);

/* ---- the commands, each in the file of its group ---- */

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
