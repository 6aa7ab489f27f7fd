#include "rest_words.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const char PACKAGE[] = "screening.v1.";

/* The words by which users know the request types. */
static const struct {
    const char *type, *words;
} bodies[] = {
    {"CreateBookingRequest", "a booking"},     {"CancelBookingRequest", "a cancellation"},
    {"RegisterHospitalRequest", "a hospital"}, {"SetCapacityRequest", "a screening day"},
    {"ScreeningDay", "a screening day"},
};

static size_t word_size(const char *text)
{
    size_t size = 0;
    while (isalnum((unsigned char)text[size]) || text[size] == '_')
        size++;
    return size;
}

static bool has_field(const ProtobufCMessageDescriptor *type, const char *name, size_t size)
{
    for (unsigned i = 0; i < type->n_fields; i++)
        if (strncmp(type->fields[i].name, name, size) == 0 && type->fields[i].name[size] == '\0')
            return true;
    return false;
}

/* Returns whether `name` is a field of the message or of a message in it. Requests have no further levels. */
static bool is_field(const ProtobufCMessageDescriptor *input, const char *name, size_t size)
{
    bool found = has_field(input, name, size);
    for (unsigned i = 0; i < input->n_fields && !found; i++)
        if (input->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            found = has_field(input->fields[i].descriptor, name, size);
    return found;
}

static char *put(char *end, const char *text, size_t size)
{
    memmove(end, text, size);
    return end + size;
}

static char *put_camel(char *end, const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool joint = name[i] == '_' && i + 1 < size;
        i += joint ? 1 : 0;
        *end++ = (char)(joint ? toupper((unsigned char)name[i]) : name[i]);
    }
    return end;
}

/*
 * Writes the words for a message type or, if there are none, its name without the package. Returns the new
 * end.
 */
static char *put_type(char *end, const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        if (strlen(bodies[i].type) == size && memcmp(bodies[i].type, name, size) == 0)
            return put(end, bodies[i].words, strlen(bodies[i].words));
    return put(end, name, size);
}

void rest_words(const ProtobufCMessageDescriptor *input, char *message)
{
    const char *from = message;
    char *end = message;
    while (*from != '\0') {
        if (strncmp(from, PACKAGE, strlen(PACKAGE)) == 0) {
            from += strlen(PACKAGE);
            size_t size = word_size(from);
            end = put_type(end, from, size);
            from += size;
            continue;
        }
        size_t size = word_size(from);
        if (size == 0)
            *end++ = *from++;
        else if (is_field(input, from, size))
            end = put_camel(end, from, size);
        else
            end = put(end, from, size);
        from += size;
    }
    *end = '\0';
}
