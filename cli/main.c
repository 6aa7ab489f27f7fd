/* screenctl, the command-line tool of the system. Has the global options and the table of commands. */
#include "command.h"
#include "message.h"
#include "options.h"
#include "table.h"
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/standard_files.h"

static const struct command COMMANDS[] = {
    {"hospital", "register", "--name NAME [--address TEXT] [--id UUID] [--day DATE=CAPACITY]...",
     N_("registers a hospital and its screening days"), hospital_register},
    {"hospital", "list", "[--name PART] [--date DATE] [--deleted] [--csv]",
     N_("lists hospitals; with --date those that screen"), hospital_list},
    {"hospital", "show", "HOSPITAL", N_("shows a hospital and its days from today on"), hospital_show},
    {"hospital", "set-capacity", "HOSPITAL DATE CAPACITY [--version N]",
     N_("sets a day's capacity, or opens the day"), hospital_set_capacity},
    {"hospital", "delete", "HOSPITAL [--yes]",
     N_("deletes a hospital; its bookings are force-cancelled. Asks first, unless --yes"), hospital_delete},
    {"hospital", "import", "FILE.csv [--update] [--dry-run]",
     N_("registers a file's hospitals, opens their missing days; --update: sets other capacities"),
     hospital_import},
    {"book", NULL,
     "--customer ID --name NAME --hospital HOSPITAL --date DATE [--headcount N] [--queue] [--id UUID]",
     N_("books a screening"), booking_book},
    {"booking", "show", "BOOKING_ID", N_("shows a booking"), booking_show},
    {"booking", "list",
     "(--customer ID | --hospital HOSPITAL) [--date DATE] [--status STATUS | --all] [--csv]",
     N_("lists bookings: a customer's, or who comes to a hospital; --all: not only CONFIRMED"), booking_list},
    {"booking", "cancel", "BOOKING_ID [--reason TEXT]", N_("cancels a booking"), booking_cancel},
    {"booking", "trace", "BOOKING_ID",
     N_("a booking's states, their events, and how far each log has been applied"), booking_trace},
    {"history", "customer", "CUSTOMER_ID [--status STATUS] [--from DATE] [--to DATE] [--csv]",
     N_("what a customer booked, newest first"), history_customer},
    {"history", "booking", "BOOKING_ID", N_("what happened to a booking"), history_booking},
    {"projection", NULL, "", N_("how far history has followed the logs"), history_projection},
    {"health", NULL, "[hospital|booking|history|gateway]",
     N_("whether the services are ready; exit code 1 if not"), health_show},
    {"events", "tail",
     "[--log hospital|booking] [--after LOG:SEQ]... [--type TYPE]... [--booking ID] [--hospital-id HOSPITAL] "
     "[--once] "
     "[--max N]",
     N_("the events of both logs as they happen; --once: those that are there, from the first or --after on"),
     events_tail},
    {"describe", NULL, "[hospital|booking|history]", N_("what the services serve: methods and message types"),
     introspection_describe},
    {"stats", NULL, "[hospital|booking|history]", N_("the services' counters and gauges, and what ails them"),
     introspection_stats},
    {"repair", NULL, "[--from DATE] [--release] [--csv]",
     N_("lists places held for bookings that are not there or have ended; --release: gives them back"),
     repair_places},
    {"watch", NULL, "[--date DATE] [--hospital-id HOSPITAL] [--interval MS]",
     N_("a live view: days filling, rates, lag; arrow keys scroll, q ends it"), watch_all},
    {"call", NULL, "METHOD ['{JSON}'] [--to hospital|booking|history] | --list",
     N_("calls any method with a JSON request"), call_method},
};

enum { COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0] };

static void print_command(const struct command *command)
{
    printf("  %s%s%s%s%s\n      %s\n", command->group, command->name != NULL ? " " : "",
           command->name != NULL ? command->name : "", command->arguments[0] != '\0' ? " " : "",
           command->arguments, message(command->summary));
}

static int print_help(void)
{
    puts(_("usage: screenctl [OPTION...] COMMAND [WORD...]\n\ncommands:"));
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        print_command(&COMMANDS[i]);
    options_print_help();
    return EXIT_DONE;
}

static int print_version(void)
{
    printf("screenctl %s\n", SCREENING_VERSION);
    return EXIT_DONE;
}

/* Returns whether `word` is the command NAME, the option --NAME, or its one-letter form. */
static bool is_word(const char *word, const char *name, const char *letter)
{
    return strcmp(word, name) == 0 || strcmp(word, letter) == 0 ||
           (strncmp(word, "--", 2) == 0 && strcmp(word + 2, name) == 0);
}

/* Handles the options before the command. Returns how many words they take, or -1 after printing an error. */
static int take_options(struct session *session, int argc, char **argv)
{
    int at = 0;
    while (at < argc && option_is(argv[at]) && !is_word(argv[at], "version", "-v")) {
        char *inside = option_split(argv[at]);
        const char *value = inside != NULL ? inside : at + 1 < argc ? argv[at + 1] : NULL;
        switch (options_take(session, NULL, argv[at], value)) {
        case OPTION_OTHER:
            usage_error(NULL, "%s: unknown option", argv[at]);
            return -1;
        case OPTION_WRONG:
            return -1;
        case OPTION_SWITCH:
            if (inside != NULL) {
                usage_error(NULL, "%s: takes no value", argv[at]);
                return -1;
            }
            at += 1;
            break;
        case OPTION_VALUE:
            at += inside != NULL ? 1 : 2;
            break;
        }
    }
    return at;
}

static const struct command *find_command(int argc, char **argv)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &COMMANDS[i];
        bool named = command->name == NULL || (argc > 1 && strcmp(argv[1], command->name) == 0);
        if (strcmp(argv[0], command->group) == 0 && named)
            return command;
    }
    return NULL;
}

/* Lists the words allowed after `group` (NULL = at the beginning), each once, in the order of the table. */
static size_t choices(const char *group, const char *names[COMMAND_COUNT])
{
    size_t count = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        bool in_group = group != NULL && strcmp(COMMANDS[i].group, group) == 0;
        bool repeated = i > 0 && strcmp(COMMANDS[i].group, COMMANDS[i - 1].group) == 0;
        if (group == NULL ? !repeated : in_group)
            names[count++] = group == NULL ? COMMANDS[i].group : COMMANDS[i].name;
    }
    return count;
}

/* Prints the valid words when the given ones name no command. Returns an exit code. */
static int explain(struct session *session, int argc, char **argv)
{
    const char *names[COMMAND_COUNT];
    const char *group = argv[0];
    size_t count = choices(group, names);
    bool known = count > 0;
    const char *unknown = !known ? group : argc > 1 ? argv[1] : NULL;
    if (known && (session->help ||
                  (unknown != NULL && (strcmp(unknown, "--help") == 0 || strcmp(unknown, "-h") == 0)))) {
        for (size_t i = 0; i < COMMAND_COUNT; i++)
            if (strcmp(COMMANDS[i].group, group) == 0)
                print_command(&COMMANDS[i]);
        return EXIT_DONE;
    }
    if (!known)
        count = choices(NULL, names);
    const char *before = known ? group : "", *space = known ? " " : "";
    const char *nearest = unknown != NULL ? values_nearest(unknown, names, count) : NULL;
    if (nearest != NULL) {
        return usage_error(NULL, "%s%s%s: unknown command; did you mean %s?", before, space, unknown,
                           nearest);
    }
    const char *list = names[0];
    for (size_t i = 1; i < count && list != NULL; i++)
        list = arena_printf(&session->arena, "%s, %s", list, names[i]);
    list = list == NULL ? "" : list;
    return unknown == NULL
               ? usage_error(NULL, "%s: which command? One of %s", group, list)
               : usage_error(NULL, "%s%s%s: unknown command; one of %s", before, space, unknown, list);
}

static int run(struct session *session, int argc, char **argv)
{
    if (argc > 0 && is_word(argv[0], "version", "-v"))
        return print_version();
    int used = take_options(session, argc, argv);
    if (used < 0 || !options_check_environment(session))
        return EXIT_USAGE;
    argc -= used;
    argv += used;
    if (argc > 0 && strcmp(argv[0], "help") == 0) {
        session->help = true;
        argc--;
        argv++;
    }
    if (argc == 0)
        return session->help ? print_help() : usage_error(NULL, "which command?");
    if (is_word(argv[0], "version", "-v"))
        return print_version();
    const struct command *command = find_command(argc, argv);
    if (command == NULL)
        return explain(session, argc, argv);
    int words = command->name == NULL ? 1 : 2;
    return command->run(session, command, argc - words, argv + words);
}

int main(int argc, char **argv)
{
    standard_files_open();
    struct session session;
    log_open("screenctl", LOG_ERROR);
    table_use_locale();
    message_choose();
    session_init(&session);
    int exit_code = run(&session, argc - 1, argv + 1);
    session_fini(&session);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, _("screenctl: standard output: %s\n"), strerror(errno));
        return EXIT_FAILED;
    }
    return exit_code;
}
