#include "values.h"

#include "client.h"
#include "date.h"
#include "message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"

#include "screening/v1/types.pb-c.h"

bool number_read(const char *text, uint32_t max, uint32_t *out)
{
    enum { DIGITS_MAX = 10 };
    size_t length = strlen(text);
    if (length == 0 || length > DIGITS_MAX || strspn(text, "0123456789") != length)
        return false;
    unsigned long long number = strtoull(text, NULL, 10);
    if (number > max)
        return false;
    *out = (uint32_t)number;
    return true;
}

/* ---- suggestions ---- */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Returns the edit distance: the number of letters to change, add or remove, ignoring case. If one of the
 * words is longer than WORD_MAX, returns WORD_MAX.
 */
static size_t distance(const char *word, const char *name)
{
    enum { WORD_MAX = 32 };
    size_t word_length = strlen(word), name_length = strlen(name);
    size_t row[WORD_MAX + 1];
    if (word_length > WORD_MAX || name_length > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= name_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= word_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= name_length; j++) {
            size_t changed = diagonal + (strncasecmp(&word[i - 1], &name[j - 1], 1) == 0 ? 0 : 1);
            diagonal = row[j];
            row[j] = smaller(changed, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[name_length];
}

const char *values_nearest(const char *word, const char *const *names, size_t count)
{
    enum { NEAR = 2 };
    const char *nearest = NULL;
    size_t least = NEAR + 1;
    for (size_t i = 0; i < count; i++) {
        size_t apart = distance(word, names[i]);
        if (apart < least && apart < strlen(names[i])) {
            least = apart;
            nearest = names[i];
        }
    }
    return nearest;
}

/* ---- one value ---- */

static enum status store_number(const struct argument *argument, const char *text, uint32_t min, uint32_t max,
                                struct error *error)
{
    uint32_t number;
    if (!number_read(text, max, &number) || number < min) {
        return error_invalid(error, _("%s %s: must be a whole number from %u to %u"), argument->name, text,
                             min, max);
    }
    *(uint32_t *)argument->value = number;
    return STATUS_OK;
}

/* Stores a status. Accepts upper and lower case, and the word in the user's language. */
static enum status store_status(const struct argument *argument, const char *text, struct error *error)
{
    enum { NAMES = SCREENING__V1__BOOKING_STATUS__FORCE_CANCELLED };
    const ProtobufCEnumValue *known =
        screening__v1__booking_status__descriptor.values + 1; /* after UNSPECIFIED */
    const char *names[NAMES];
    for (int i = 0; i < NAMES; i++) {
        names[i] = known[i].name;
        if (strcasecmp(text, names[i]) == 0 || strcmp(text, message(names[i])) == 0) {
            *(Screening__V1__BookingStatus *)argument->value = (Screening__V1__BookingStatus)known[i].value;
            return STATUS_OK;
        }
    }
    const char *nearest = values_nearest(text, names, NAMES);
    if (nearest != NULL)
        return error_invalid(error, _("%s %s: did you mean %s?"), argument->name, text, nearest);
    return error_invalid(error,
                         _("%s %s: must be REQUESTED, CONFIRMED, REJECTED, CANCELLED or FORCE_CANCELLED"),
                         argument->name, text);
}

static enum status store_list(const struct argument *argument, char *text, struct error *error)
{
    struct text_list *list = argument->value;
    if (list->count == TEXT_LIST_MAX)
        return error_invalid(error, _("%s: at most %d times"), argument->name, TEXT_LIST_MAX);
    list->texts[list->count++] = text;
    return STATUS_OK;
}

enum status values_store(const struct argument *argument, char *text, struct error *error)
{
    switch (argument->type) {
    case ARGUMENT_TEXT:
    case ARGUMENT_DATE:
    case ARGUMENT_HOSPITAL:
    case ARGUMENT_WHOLE_HOSPITAL:
        *(char **)argument->value = text;
        break;
    case ARGUMENT_NUMBER:
        return store_number(argument, text, 0, UINT32_MAX, error);
    case ARGUMENT_HEADCOUNT:
        return store_number(argument, text, 1, HEADCOUNT_MAX, error);
    case ARGUMENT_CAPACITY:
        return store_number(argument, text, 0, CAPACITY_MAX, error);
    case ARGUMENT_SWITCH:
        *(protobuf_c_boolean *)argument->value = true;
        break;
    case ARGUMENT_STATUS:
        return store_status(argument, text, error);
    case ARGUMENT_LIST:
        return store_list(argument, text, error);
    }
    return STATUS_OK;
}

enum status values_finish_date(struct session *session, const struct argument *argument, struct error *error)
{
    char **text = argument->value;
    int32_t today, day;
    TRY(session_today(session, &today, error));
    if (!date_read(*text, today, &day))
        return error_invalid(error, "%s %s: %s", argument->name, *text, _(DATE_RULE));
    char *out = arena_alloc(&session->arena, CIVIL_TEXT_SIZE);
    if (out == NULL)
        return client_no_memory(error);
    *text = civil_format(day, out);
    return STATUS_OK;
}
