#include "service/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "service/config_text.h"
#include "service/service.h"

/* The command line being parsed, and the values given in it. */
struct command_line {
    const char *program;
    const char *summary;
    const struct setting *settings;
    size_t count;
    const char **given; /* the value of each setting's flag; NULL = not given */
    bool print_config;
};

_Noreturn static void fail(const char *program, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

_Noreturn static void fail(const char *program, const char *format, ...)
{
    struct error error = {.status = STATUS_INVALID_ARGUMENT};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error.message, sizeof error.message, format, arguments);
    va_end(arguments);
    service_config_error(program, &error);
}

/* ---- --help ---- */

static const char *placeholder(enum setting_type type)
{
    switch (type) {
    case SETTING_NUMBER:
        return " N";
    case SETTING_ADDRESS:
    case SETTING_PRIVATE:
        return " ADDRESS";
    case SETTING_ADDRESSES:
        return " ADDRESS,...";
    case SETTING_DATABASE:
        return " URL";
    case SETTING_TEXT:
        return " TEXT";
    case SETTING_SWITCH:
        break;
    }
    return "";
}

static const char *shown_default(const struct setting *setting)
{
    if (setting->default_value == NULL)
        return "(required)";
    return setting->flag_only || setting->default_value[0] == '\0' ? "-" : setting->default_value;
}

static int wider(int width, size_t length)
{
    return length > (size_t)width ? (int)length : width;
}

static void print_help(const struct command_line *line)
{
    char name[CONFIG_ENVIRONMENT_NAME_SIZE];
    int flag_width = (int)strlen("--print-config"), name_width = 1, default_width = (int)strlen("DEFAULT");
    for (size_t i = 0; i < line->count; i++) {
        const struct setting *setting = &line->settings[i];
        flag_width = wider(flag_width, 2 + strlen(setting->name) + strlen(placeholder(setting->type)));
        name_width = wider(name_width, strlen(config_environment_name(setting->name, name)));
        default_width = wider(default_width, strlen(shown_default(setting)));
    }
    printf("%s: %s\n\nUsage: %s [FLAG...]\n\n", line->program, line->summary, line->program);
    printf("  %-*s  %-*s  %-*s  %s\n", flag_width, "FLAG", name_width, "ENVIRONMENT", default_width,
           "DEFAULT", "MEANING");
    for (size_t i = 0; i < line->count; i++) {
        const struct setting *setting = &line->settings[i];
        const char *value = placeholder(setting->type);
        printf("  --%s%-*s  %-*s  %-*s  %s\n", setting->name, flag_width - 2 - (int)strlen(setting->name),
               value, name_width, setting->flag_only ? "-" : config_environment_name(setting->name, name),
               default_width, shown_default(setting), setting->help);
    }
    static const char *const common[][2] = {
        {"--help", "this text"},
        {"--version", "the program's version"},
        {"--print-config", "the configuration in effect, without secrets"}};
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        printf("  %-*s  %-*s  %-*s  %s\n", flag_width, common[i][0], name_width, "-", default_width, "-",
               common[i][1]);
    }
    exit(EXIT_SUCCESS);
}

/* ---- flags ---- */

static bool name_is(const char *name, size_t length, const char *wanted)
{
    return strlen(wanted) == length && strncmp(name, wanted, length) == 0;
}

/*
 * Handles a flag that every program accepts. `name` has `length` characters, without the dashes. Returns
 * whether `name` is such a flag.
 */
static bool take_common_flag(struct command_line *line, const char *name, size_t length)
{
    if (name_is(name, length, "help"))
        print_help(line);
    if (name_is(name, length, "version")) {
        printf("%s %s\n", line->program, SCREENING_VERSION);
        exit(EXIT_SUCCESS);
    }
    if (name_is(name, length, "print-config")) {
        line->print_config = true;
        return true;
    }
    return false;
}

static size_t find_setting(const struct command_line *line, const char *name, size_t length)
{
    size_t i = 0;
    while (i < line->count && !name_is(name, length, line->settings[i].name))
        i++;
    return i;
}

/*
 * Handles the flag at argv[at]. Returns the number of words used. A word that looks like a flag is not taken
 * as a value.
 */
static int take_flag(struct command_line *line, int argc, char **argv, int at)
{
    const char *word = argv[at];
    if (strncmp(word, "--", 2) != 0)
        fail(line->program, "%s: not a flag (see --help)", word);
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (value == NULL && take_common_flag(line, name, length))
        return 1;
    size_t i = find_setting(line, name, length);
    if (i == line->count)
        fail(line->program, "unknown flag --%.*s (see --help)", (int)length, name);
    if (value != NULL || line->settings[i].type == SETTING_SWITCH) {
        line->given[i] = value != NULL ? value : "true";
        return 1;
    }
    if (at + 1 == argc || strncmp(argv[at + 1], "--", 2) == 0)
        fail(line->program, "--%s: missing value", line->settings[i].name);
    line->given[i] = argv[at + 1];
    return 2;
}

/* ---- values ---- */

static void load_value(const struct command_line *line, size_t i)
{
    const struct setting *setting = &line->settings[i];
    char environment[CONFIG_ENVIRONMENT_NAME_SIZE];
    config_environment_name(setting->name, environment);
    const char *text = line->given[i];
    bool from_environment = false;
    if (text == NULL && !setting->flag_only) {
        text = getenv(environment);
        from_environment = text != NULL && text[0] != '\0';
    }
    if (line->given[i] == NULL && !from_environment)
        text = setting->default_value;
    if (text == NULL)
        fail(line->program, "--%s: must be given", setting->name);
    struct error error;
    if (config_parse(setting, text, &error) != STATUS_OK) {
        fail(line->program, "%s%s: %s", from_environment ? "" : "--",
             from_environment ? environment : setting->name, error.message);
    }
}

static void print_config(const struct command_line *line)
{
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < line->count; i++) {
        if (!line->settings[i].flag_only) {
            const char *text = config_show(&line->settings[i], &arena);
            printf("%s=%s\n", line->settings[i].name, text != NULL ? text : "(out of memory)");
        }
    }
    arena_fini(&arena);
    exit(EXIT_SUCCESS);
}

void config_load(const char *program, const char *summary, const struct setting *settings, size_t count,
                 int argc, char **argv)
{
    struct command_line line = {.program = program, .summary = summary, .settings = settings, .count = count};
    struct arena arena;
    arena_init(&arena);
    line.given = arena_alloc(&arena, (count + 1) * sizeof *line.given);
    if (line.given == NULL)
        fail(program, "out of memory");
    for (int at = 1; at < argc;)
        at += take_flag(&line, argc, argv, at);
    for (size_t i = 0; i < count; i++)
        load_value(&line, i);
    arena_fini(&arena);
    if (line.print_config)
        print_config(&line);
}

void config_must_be(const char *program, const char *name, const char *text, const char *allowed)
{
    if (text[0] != '\0' && strcmp(text, allowed) != 0)
        fail(program, "--%s: must be %s", name, allowed);
}

void config_log(const struct setting *settings, size_t count)
{
    struct arena arena;
    arena_init(&arena);
    size_t shown = 0;
    struct log_field *fields = arena_alloc(&arena, (count + 1) * sizeof *fields);
    if (fields == NULL) {
        log_plain(LOG_ERROR, "config.out_of_memory");
        arena_fini(&arena);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (settings[i].flag_only)
            continue;
        fields[shown++] = settings[i].type == SETTING_NUMBER
                              ? LOG_INT(settings[i].name, *(const int64_t *)settings[i].value)
                              : LOG_TEXT(settings[i].name, config_show(&settings[i], &arena));
    }
    log_write(LOG_INFO, "config", fields, shown);
    arena_fini(&arena);
}
