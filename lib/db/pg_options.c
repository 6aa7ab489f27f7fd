#include "db/pg_options.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* ---- words ---- */

/* Reads the next word and removes its backslashes as PostgreSQL does. Returns false at the end. */
static bool next_word(const char **rest, char out[PG_OPTION_SIZE])
{
    const char *text = *rest;
    size_t length = 0;
    while (isspace((unsigned char)*text))
        text++;
    if (*text == '\0')
        return false;
    for (; *text != '\0' && !isspace((unsigned char)*text); text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        if (length < PG_OPTION_SIZE - 1)
            out[length++] = *text;
    }
    out[length] = '\0';
    *rest = text;
    return true;
}

/* ---- settings ---- */

static bool read_setting(const char *text, struct pg_option *out)
{
    const char *equals = strchr(text, '=');
    size_t length = equals == NULL ? 0 : (size_t)(equals - text);
    if (length == 0)
        return false;
    memcpy(out->name, text, length);
    out->name[length] = '\0';
    for (char *c = out->name; *c != '\0'; c++)
        if (*c == '-')
            *c = '_';
    memmove(out->value, equals + 1, strlen(equals + 1) + 1);
    return true;
}

bool pg_options_next(const char **rest, struct pg_option *out)
{
    char word[PG_OPTION_SIZE];
    while (next_word(rest, word)) {
        const char *setting = NULL;
        if (strcmp(word, "-c") == 0)
            setting = next_word(rest, word) ? word : NULL;
        else if (strncmp(word, "-c", 2) == 0 || strncmp(word, "--", 2) == 0)
            setting = word + 2;
        if (setting != NULL && read_setting(setting, out))
            return true;
    }
    return false;
}

bool pg_options_name(const char *options, const char *name)
{
    struct pg_option option;
    while (options != NULL && pg_options_next(&options, &option))
        if (strcasecmp(option.name, name) == 0)
            return true;
    return false;
}

int pg_commit_rank(const char *value)
{
    static const char *const values[] = {"off", "local", "remote_write", "on", "remote_apply"};
    const int count = sizeof values / sizeof values[0];
    for (int i = 0; i < count; i++)
        if (strcmp(values[i], value) == 0)
            return i;
    return -1;
}
