#include "protojson/path.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { STEP_MAX_BYTES = 64 };

struct text {
    size_t used;
    char bytes[ERROR_MESSAGE_SIZE];
};

static void append(struct text *text, const char *bytes, size_t size)
{
    size_t room = sizeof text->bytes - 1 - text->used;
    if (size > room)
        size = room;
    for (size_t i = 0; i < size; i++) {
        int shown = iscntrl((unsigned char)bytes[i]) ? '?' : bytes[i];
        text->bytes[text->used++] = (char)shown;
    }
    text->bytes[text->used] = '\0';
}

/* Returns how many bytes of `name` to show, without cutting a UTF-8 character. */
static size_t shown_size(const char *name)
{
    size_t size = strnlen(name, STEP_MAX_BYTES + 1);
    if (size <= STEP_MAX_BYTES)
        return size;
    size = STEP_MAX_BYTES;
    while (size > 0 && ((unsigned char)name[size] & 0xC0) == 0x80)
        size--;
    return size;
}

/*
 * Appends the path as text. The text starts at the root, but the chain points from the leaf to the root, so
 * recursion reverses it. PROTOJSON_DEPTH_MAX bounds the recursion.
 */
static void append_path(struct text *text, const struct protojson_path *path)
{
    if (path == NULL)
        return;
    append_path(text, path->parent);
    if (path->name == NULL) {
        char index[32];
        int length = snprintf(index, sizeof index, "[%zu]", path->index);
        append(text, index, (size_t)length);
        return;
    }
    if (text->used > 0)
        append(text, ".", 1);
    append(text, path->name, shown_size(path->name));
}

enum status protojson_refuse(struct error *error, enum status status, const struct protojson_path *path,
                             const char *format, ...)
{
    if (error == NULL)
        return status;
    char rule[ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(rule, sizeof rule, format, arguments);
    va_end(arguments);

    struct text where = {.used = 0};
    append_path(&where, path);
    return error_set(error, status, NULL, "%s%s%s", where.bytes, where.used > 0 ? ": " : "", rule);
}
