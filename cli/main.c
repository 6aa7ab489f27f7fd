/* screenctl: the system from the command line. Options, then the table of commands. */
#include "command.h"
#include "message.h"
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/standard_files.h"

static const struct command COMMANDS[] = {
    {"hospital", "register", "--name NAME [--address TEXT] [--id UUID] [--day DATE=CAPACITY]...",
     N_("registers a hospital and its screening days"), hospital_register},
    {"hospital", "list", "[--name PART] [--date DATE] [--deleted]",
     N_("lists hospitals; with --date those that screen"), hospital_list},
    {"hospital", "show", "HOSPITAL_ID", N_("shows a hospital and its days from today on"), hospital_show},
    {"hospital", "set-capacity", "HOSPITAL_ID DATE CAPACITY [--version N]",
     N_("sets a day's capacity, or opens the day"), hospital_set_capacity},
    {"hospital", "delete", "HOSPITAL_ID", N_("deletes a hospital; its bookings are force-cancelled"),
     hospital_delete},
    {"hospital", "import", "FILE.csv", N_("registers the hospitals of a file, or opens their missing days"),
     hospital_import},
    {"book", NULL,
     "--customer ID --name NAME --hospital ID --date DATE [--headcount N] [--queue] [--id UUID]",
     N_("books a screening"), booking_book},
    {"booking", "show", "BOOKING_ID", N_("shows a booking"), booking_show},
    {"booking", "list", "(--customer ID | --hospital ID) [--date DATE] [--status STATUS]",
     N_("lists bookings: a customer's, or who comes to a hospital"), booking_list},
    {"booking", "cancel", "BOOKING_ID [--reason TEXT]", N_("cancels a booking"), booking_cancel},
    {"booking", "trace", "BOOKING_ID",
     N_("a booking's states, their events, and how far each log has been applied"), booking_trace},
    {"history", "customer", "CUSTOMER_ID [--status STATUS] [--from DATE] [--to DATE]",
     N_("what a customer booked, newest first"), history_customer},
    {"history", "booking", "BOOKING_ID", N_("what happened to a booking"), history_booking},
    {"projection", NULL, "", N_("how far history has followed the logs"), history_projection},
    {"health", NULL, "[hospital|booking|history]", N_("whether the services are ready; exit code 1 if not"),
     health_show},
    {"events", "tail",
     "[--log hospital|booking] [--after LOG:SEQ]... [--type TYPE]... [--booking ID] [--hospital-id ID] "
     "[--once] "
     "[--max N]",
     N_("the events of both logs as they happen; --once: those that are there, from the first or --after on"),
     events_tail},
    {"describe", NULL, "[hospital|booking|history]", N_("what the services serve: methods and message types"),
     introspection_describe},
    {"stats", NULL, "[hospital|booking|history]", N_("the services' counters and gauges, and what ails them"),
     introspection_stats},
    {"watch", NULL, "[--date DATE] [--hospital-id ID] [--interval MS]",
     N_("a live view: days filling, rates, lag; q ends it"), watch_all},
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
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        print_command(&COMMANDS[i]);
    }
    puts(_("\noptions, before the command (--json, --timeout and --help also after it):"));
    for (int i = 0; i < PEER_COUNT; i++) {
        printf(_("  %s ADDRESS%*s%s (environment %s, default %s)\n"), PEERS[i].option,
               (int)(12 - strlen(PEERS[i].option)), "", PEERS[i].program, PEERS[i].environment,
               PEERS[i].address);
    }
    printf(_("  --time-zone ZONE    the clinic's (environment SCREENING_TIME_ZONE, default Asia/Seoul)\n"
             "  --timeout MS        of each call, 1 to %d, repeats included (default %d)\n"
             "  --json              answers as JSON, one document\n"
             "  --version           the program's version\n"
             "\nA DATE is YYYY-MM-DD, or +N for N days from today.\n"
             "Exit codes: 0 done, 1 refused or failed, 2 wrong usage.\n"),
           TIMEOUT_MAX_MS, TIMEOUT_DEFAULT_MS);
    return EXIT_DONE;
}

static bool is_address(const char *text)
{
    enum { SCHEME_LENGTH = 6, PORT_MAX = 65535 };
    const char *rest = text + SCHEME_LENGTH;
    if (strncmp(text, "ipc://", SCHEME_LENGTH) == 0) {
        return rest[0] != '\0';
    }
    if (strncmp(text, "tcp://", SCHEME_LENGTH) != 0) {
        return false;
    }
    const char *colon = strrchr(rest, ':');
    uint32_t port;
    return colon != NULL && colon > rest && number_read(colon + 1, PORT_MAX, &port) && port > 0;
}

/* Where the value of a global option goes; NULL if it is none. */
static const char **option_target(struct session *session, const char *word)
{
    for (int i = 0; i < PEER_COUNT; i++) {
        if (strcmp(word, PEERS[i].option) == 0) {
            return &session->addresses[i];
        }
    }
    return strcmp(word, "--time-zone") == 0 ? &session->time_zone : NULL;
}

/* Takes the options before the command; returns how many words they are, -1 after telling what is wrong. */
static int take_options(struct session *session, int argc, char **argv)
{
    int at = 0;
    while (at < argc && strncmp(argv[at], "--", 2) == 0) {
        int used = command_take_common(session, argc - at, argv + at);
        if (used < 0) {
            usage_error(NULL, "--timeout: must be 1 to %d ms", TIMEOUT_MAX_MS);
            return -1;
        }
        const char **target = used == 0 ? option_target(session, argv[at]) : NULL;
        if (used == 0 && target == NULL) {
            usage_error(NULL, "%s: unknown option", argv[at]);
            return -1;
        }
        if (target != NULL) {
            if (at + 1 == argc) {
                usage_error(NULL, "%s: missing value", argv[at]);
                return -1;
            }
            *target = argv[at + 1];
            used = 2;
        }
        at += used;
    }
    return at;
}

static const struct command *find_command(int argc, char **argv)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &COMMANDS[i];
        bool named = command->name == NULL || (argc > 1 && strcmp(argv[1], command->name) == 0);
        if (strcmp(argv[0], command->group) == 0 && named) {
            return command;
        }
    }
    return NULL;
}

/* The words after `group` name no command of it: shows what there is. */
static int explain_group(const struct session *session, const char *group)
{
    bool known = false;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(COMMANDS[i].group, group) == 0) {
            known = true;
            if (session->help) {
                print_command(&COMMANDS[i]);
            }
        }
    }
    if (known && session->help) {
        return EXIT_DONE;
    }
    return usage_error(NULL, known ? N_("%s: which command of it?") : N_("%s: unknown command"), group);
}

static int run(struct session *session, int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "--version") == 0) {
        printf("screenctl %s\n", SCREENING_VERSION);
        return EXIT_DONE;
    }
    int used = take_options(session, argc, argv);
    if (used < 0) {
        return EXIT_USAGE;
    }
    argc -= used;
    argv += used;
    for (int i = 0; i < PEER_COUNT; i++) {
        if (!is_address(session->addresses[i])) {
            return usage_error(NULL, "%s: must be tcp://HOST:PORT or ipc://PATH", PEERS[i].option);
        }
    }
    if (argc == 0) {
        return session->help ? print_help() : usage_error(NULL, "which command?");
    }
    const struct command *command = find_command(argc, argv);
    if (command == NULL) {
        session->help = session->help || (argc > 1 && strcmp(argv[1], "--help") == 0);
        return explain_group(session, argv[0]);
    }
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
