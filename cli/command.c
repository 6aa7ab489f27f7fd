#include "command.h"

#include "hospital_find.h"
#include "message.h"
#include "options.h"
#include "values.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ARGUMENTS_MAX = 16 };

/* ---- usage ---- */

static void print_usage(FILE *file, const struct command *command)
{
    fprintf(file, _("usage: screenctl [OPTION...] %s%s%s%s%s\n"), command->group,
            command->name != NULL ? " " : "", command->name != NULL ? command->name : "",
            command->arguments[0] != '\0' ? " " : "", command->arguments);
}

void usage_print(const struct command *command)
{
    print_usage(stdout, command);
    puts(message(command->summary));
}

int usage_error(const struct command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("screenctl: ", stderr);
    vfprintf(stderr, message(format), arguments);
    fputc('\n', stderr);
    va_end(arguments);
    if (command != NULL)
        print_usage(stderr, command);
    else
        fputs(_("usage: screenctl --help\n"), stderr);
    return EXIT_USAGE;
}

/* ---- words ---- */

/*
 * Returns the index of the argument for `word`: the option of that name or, if `word` is not an option,
 * positional argument number `place`, from 0. Returns `count` if there is none.
 */
static size_t find_argument(const struct argument *arguments, size_t count, const char *word, size_t place)
{
    for (size_t i = 0; i < count; i++) {
        bool option = option_is(arguments[i].name);
        if (option_is(word) ? strcmp(arguments[i].name, word) == 0 : !option && place-- == 0)
            return i;
    }
    return count;
}

static int wrong_word(const struct command *command, const struct argument *arguments, size_t count,
                      const char *word)
{
    const char *options[ARGUMENTS_MAX];
    size_t option_count = 0;
    for (size_t i = 0; i < count; i++)
        if (option_is(arguments[i].name))
            options[option_count++] = arguments[i].name;
    const char *nearest = option_is(word) ? values_nearest(word, options, option_count) : NULL;
    if (nearest != NULL)
        usage_error(command, "%s: unknown option; did you mean %s?", word, nearest);
    else
        usage_error(command, option_is(word) ? N_("%s: unknown option") : N_("%s: unexpected argument"),
                    word);
    return -1;
}

/*
 * Handles the option argv[0] and its value, if any. Returns the number of words used, or -1 after printing an
 * error.
 */
static int take_option(struct session *session, const struct command *command,
                       const struct argument *arguments, size_t count, bool given[], int argc, char **argv)
{
    char *inside = option_split(argv[0]); /* the value of --name=value */
    char *value = inside != NULL ? inside : argc > 1 && !option_is(argv[1]) ? argv[1] : NULL;
    enum option_result common = options_take(session, command, argv[0], value);
    size_t i = common == OPTION_OTHER ? find_argument(arguments, count, argv[0], 0) : count;
    if (common == OPTION_WRONG)
        return -1;
    if (common == OPTION_OTHER && i == count)
        return wrong_word(command, arguments, count, argv[0]);
    bool alone = common == OPTION_SWITCH || (i < count && arguments[i].type == ARGUMENT_SWITCH);
    if (alone ? inside != NULL : value == NULL) {
        usage_error(command, alone ? N_("%s: takes no value") : N_("%s: missing value"), argv[0]);
        return -1;
    }
    struct error error;
    if (i < count && values_store(&arguments[i], value, &error) != STATUS_OK) {
        usage_error(command, "%s", error.message);
        return -1;
    }
    if (i < count)
        given[i] = true;
    return alone || inside != NULL ? 1 : 2;
}

/* Handles the positional argument at `place`, counted from 0. Returns 1, or -1 after printing an error. */
static int take_place(const struct command *command, const struct argument *arguments, size_t count,
                      size_t place, bool given[], char *word)
{
    size_t i = find_argument(arguments, count, word, place);
    if (i == count)
        return wrong_word(command, arguments, count, word);
    struct error error;
    if (values_store(&arguments[i], word, &error) != STATUS_OK) {
        usage_error(command, "%s", error.message);
        return -1;
    }
    given[i] = true;
    return 1;
}

/* Returns whether the command never calls a service, so that addresses do not matter. */
static bool is_offline(const struct command *command)
{
    static const char *const groups[] = {"pki", "keys", "token", "issuer"};
    for (size_t i = 0; i < COUNT_OF(groups); i++)
        if (strcmp(command->group, groups[i]) == 0)
            return true;
    return false;
}

/*
 * Resolves the values after all words are read, because dates need the time zone, and hospitals need the
 * address of hospital-svc.
 */
static bool finish(struct session *session, const struct command *command, const struct argument *arguments,
                   size_t count, const bool given[], int *exit_code)
{
    struct error error;
    if (!is_offline(command) && !options_check_addresses(session, command))
        return false;
    if (session_use_zone(session, &error) != STATUS_OK) {
        usage_error(command, "%s", error.message);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (given[i] && arguments[i].type == ARGUMENT_DATE &&
            values_finish_date(session, &arguments[i], &error) != STATUS_OK) {
            usage_error(command, "%s", error.message);
            return false;
        }
    }
    *exit_code = EXIT_FAILED;
    for (size_t i = 0; i < count; i++) {
        bool whole = arguments[i].type == ARGUMENT_WHOLE_HOSPITAL;
        if (given[i] && (whole || arguments[i].type == ARGUMENT_HOSPITAL) &&
            !hospital_find(session, arguments[i].name, whole, arguments[i].value))
            return false;
    }
    return true;
}

bool command_read(struct session *session, const struct command *command, const struct argument *arguments,
                  size_t count, int argc, char **argv, int *exit_code)
{
    bool given[ARGUMENTS_MAX] = {false};
    size_t place = 0;
    *exit_code = EXIT_USAGE;
    for (int at = 0; at < argc;) {
        bool option = option_is(argv[at]);
        int used = option ? take_option(session, command, arguments, count, given, argc - at, argv + at)
                          : take_place(command, arguments, count, place, given, argv[at]);
        if (used < 0)
            return false;
        place += option ? 0 : 1;
        at += used;
    }
    if (session->help) {
        usage_print(command);
        *exit_code = EXIT_DONE;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (arguments[i].required && !given[i]) {
            usage_error(command, "%s: must be given", arguments[i].name);
            return false;
        }
    }
    return finish(session, command, arguments, count, given, exit_code);
}
