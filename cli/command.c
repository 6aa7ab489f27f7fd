#include "command.h"

#include "date.h"
#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"

#include "screening/v1/types.pb-c.h"

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
    if (command != NULL) {
        print_usage(stderr, command);
    } else {
        fputs(_("usage: screenctl --help\n"), stderr);
    }
    return EXIT_USAGE;
}

/* ---- values ---- */

bool number_read(const char *text, uint32_t max, uint32_t *out)
{
    enum { DIGITS_MAX = 10 };
    size_t length = strlen(text);
    if (length == 0 || length > DIGITS_MAX || strspn(text, "0123456789") != length) {
        return false;
    }
    unsigned long long number = strtoull(text, NULL, 10);
    if (number > max) {
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

static enum status store_date(struct session *session, const struct argument *argument, const char *text,
                              struct error *error)
{
    int32_t today = 0, day;
    if (text[0] == '+' && session_today(session, &today, error) != STATUS_OK) {
        return error->status;
    }
    if (!date_read(text, today, &day)) {
        return error_set(error, STATUS_INVALID_ARGUMENT, NULL, "%s: %s", argument->name, _(DATE_RULE));
    }
    char *out = arena_alloc(&session->arena, CIVIL_TEXT_SIZE);
    if (out == NULL) {
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, _("out of memory"));
    }
    *(char **)argument->value = civil_format(day, out);
    return STATUS_OK;
}

static enum status store_status(const struct argument *argument, const char *text, struct error *error)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(&screening__v1__booking_status__descriptor, text);
    if (value == NULL || value->value == SCREENING__V1__BOOKING_STATUS__BOOKING_STATUS_UNSPECIFIED) {
        return error_set(error, STATUS_INVALID_ARGUMENT, NULL,
                         _("%s: must be REQUESTED, CONFIRMED, REJECTED, CANCELLED or FORCE_CANCELLED"),
                         argument->name);
    }
    *(Screening__V1__BookingStatus *)argument->value = (Screening__V1__BookingStatus)value->value;
    return STATUS_OK;
}

static enum status store_list(const struct argument *argument, char *text, struct error *error)
{
    struct text_list *list = argument->value;
    if (list->count == TEXT_LIST_MAX) {
        return error_set(error, STATUS_INVALID_ARGUMENT, NULL, _("%s: at most %d times"), argument->name,
                         TEXT_LIST_MAX);
    }
    list->texts[list->count++] = text;
    return STATUS_OK;
}

static enum status store(struct session *session, const struct argument *argument, char *text,
                         struct error *error)
{
    switch (argument->type) {
    case ARGUMENT_TEXT:
        *(char **)argument->value = text;
        break;
    case ARGUMENT_NUMBER:
        if (!number_read(text, UINT32_MAX, argument->value)) {
            return error_set(error, STATUS_INVALID_ARGUMENT, NULL,
                             _("%s: must be a whole number from 0 to %u"), argument->name, UINT32_MAX);
        }
        break;
    case ARGUMENT_SWITCH:
        *(protobuf_c_boolean *)argument->value = true;
        break;
    case ARGUMENT_DATE:
        return store_date(session, argument, text, error);
    case ARGUMENT_STATUS:
        return store_status(argument, text, error);
    case ARGUMENT_LIST:
        return store_list(argument, text, error);
    }
    return STATUS_OK;
}

/* ---- words ---- */

static bool is_option(const char *word)
{
    return strncmp(word, "--", 2) == 0;
}

int command_take_common(struct session *session, int argc, char **argv)
{
    if (strcmp(argv[0], "--json") == 0) {
        session->json = true;
        return 1;
    }
    if (strcmp(argv[0], "--help") == 0) {
        session->help = true;
        return 1;
    }
    if (strcmp(argv[0], "--timeout") != 0) {
        return 0;
    }
    uint32_t timeout_ms;
    if (argc < 2 || !number_read(argv[1], TIMEOUT_MAX_MS, &timeout_ms) || timeout_ms == 0) {
        return -1;
    }
    session->timeout_ms = timeout_ms;
    return 2;
}

/* The argument that `word` belongs to: an option by its name, else the `place`-th of the others; `count` if
 * none. */
static size_t find_argument(const struct argument *arguments, size_t count, const char *word, size_t place)
{
    for (size_t i = 0; i < count; i++) {
        bool option = is_option(arguments[i].name);
        if (is_option(word) ? strcmp(arguments[i].name, word) == 0 : !option && place-- == 0) {
            return i;
        }
    }
    return count;
}

/* Takes the word or words at argv[0]; returns how many, or -1 after telling what is wrong. */
static int take_words(struct session *session, const struct command *command,
                      const struct argument *arguments, size_t count, size_t place, bool given[], int argc,
                      char **argv)
{
    int common = command_take_common(session, argc, argv);
    if (common != 0) {
        if (common < 0) {
            usage_error(command, "--timeout: must be 1 to %d ms", TIMEOUT_MAX_MS);
        }
        return common;
    }
    size_t i = find_argument(arguments, count, argv[0], place);
    if (i == count) {
        usage_error(command, is_option(argv[0]) ? N_("%s: unknown option") : N_("%s: unknown word"), argv[0]);
        return -1;
    }
    bool with_value = is_option(argv[0]) && arguments[i].type != ARGUMENT_SWITCH;
    if (with_value && (argc < 2 || is_option(argv[1]))) {
        usage_error(command, "%s: missing value", argv[0]);
        return -1;
    }
    struct error error;
    if (store(session, &arguments[i], argv[with_value ? 1 : 0], &error) != STATUS_OK) {
        usage_error(command, "%s", error.message);
        return -1;
    }
    given[i] = true;
    return with_value ? 2 : 1;
}

bool command_read(struct session *session, const struct command *command, const struct argument *arguments,
                  size_t count, int argc, char **argv, int *exit_code)
{
    enum { ARGUMENTS_MAX = 16 };
    bool given[ARGUMENTS_MAX] = {false};
    size_t place = 0;
    *exit_code = EXIT_USAGE;
    for (int at = 0; at < argc;) {
        int used = take_words(session, command, arguments, count, place, given, argc - at, argv + at);
        if (used < 0) {
            return false;
        }
        place += is_option(argv[at]) ? 0 : 1;
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
    return true;
}
