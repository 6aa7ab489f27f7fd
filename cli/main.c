/* The main program of screenctl, the command-line tool of the system, with the table of commands. */
#include "command.h"
#include "message.h"
#include "options.h"
#include "table.h"
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/core_dump.h"
#include "base/log.h"
#include "base/standard_files.h"

static const struct command *const COMMANDS[] = {
    &HOSPITAL_REGISTER,
    &HOSPITAL_LIST,
    &HOSPITAL_SHOW,
    &HOSPITAL_SET_CAPACITY,
    &HOSPITAL_DELETE,
    &HOSPITAL_IMPORT,
    &BOOKING_BOOK,
    &BOOKING_SHOW,
    &BOOKING_LIST,
    &BOOKING_CANCEL,
    &BOOKING_TRACE,
    &HISTORY_CUSTOMER,
    &HISTORY_BOOKING,
    &HISTORY_PROJECTION,
    &HEALTH_SHOW,
    &EVENTS_TAIL,
    &INTROSPECTION_DESCRIBE,
    &INTROSPECTION_STATS,
    &REPAIR_PLACES,
    &WATCH_ALL,
    &CALL_METHOD,
    &PKI_INIT,
    &PKI_RENEW,
    &PKI_REVOKE,
    &PKI_SHOW,
    &KEYS_ROTATE,
    &KEYS_PRUNE,
    &TOKEN_ISSUE,
    &TOKEN_SHOW,
    &ISSUER_FETCH,
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
    puts(_("usage: screenctl [OPTION...] COMMAND [ARGUMENT...]\n\ncommands:"));
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        print_command(COMMANDS[i]);
    options_print_help();
    return EXIT_DONE;
}

static int print_version(void)
{
    printf("screenctl %s\n", SCREENING_VERSION);
    return EXIT_DONE;
}

/* Returns whether `word` is the command NAME, the option --NAME, or the one-letter option. */
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
        const struct command *command = COMMANDS[i];
        bool named = command->name == NULL || (argc > 1 && strcmp(argv[1], command->name) == 0);
        if (strcmp(argv[0], command->group) == 0 && named)
            return command;
    }
    return NULL;
}

/*
 * Lists the words allowed after `group` (NULL = at the beginning), each once, in the order of the table.
 * Returns their number.
 */
static size_t choices(const char *group, const char *names[COMMAND_COUNT])
{
    size_t count = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        bool in_group = group != NULL && strcmp(COMMANDS[i]->group, group) == 0;
        bool repeated = i > 0 && strcmp(COMMANDS[i]->group, COMMANDS[i - 1]->group) == 0;
        if (group == NULL ? !repeated : in_group)
            names[count++] = group == NULL ? COMMANDS[i]->group : COMMANDS[i]->name;
    }
    return count;
}

/*
 * Handles words that are not a command. Prints the usage of a group's commands if the user asked for help
 * with the group. Otherwise prints an error with the nearest valid word or, if none is near, all valid words.
 * Returns the exit code.
 */
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
            if (strcmp(COMMANDS[i]->group, group) == 0)
                print_command(COMMANDS[i]);
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
    (void)core_dump_disable(); /* without /proc, only a core file is prevented */
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
