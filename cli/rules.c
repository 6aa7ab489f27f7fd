#include "rules.h"

#include "message.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * The rules that follow "FIELD: ", with %u for each number. A translation must keep the order of the numbers.
 */
static const char *const RULES[] = {
    N_("must not contain spaces"),
    N_("must not contain control characters"),
    N_("must have %u to %u characters"),
    N_("must be valid UTF-8"),
    N_("must be an existing date, YYYY-MM-DD"),
    N_("must be a UUID"),
    N_("must be a UUID other than nil"),
    N_("must be 0 to %u"),
    N_("must be 1 to %u"),
    N_("must be 0 (for 1) to 100"),
    N_("must be at most %u"),
    N_("must be today or later"),
    N_("must not be before from_date"),
};

enum { NUMBERS_MAX = 2 };

/* Returns whether `text` is the rule with numbers in place of %u. Stores the numbers in `numbers`. */
static bool rule_fits(const char *rule, const char *text, unsigned numbers[NUMBERS_MAX])
{
    size_t count = 0;
    while (*rule != '\0') {
        if (rule[0] == '%' && rule[1] == 'u' && count < NUMBERS_MAX) {
            int length = 0;
            if (sscanf(text, "%9u%n", &numbers[count++], &length) != 1)
                return false;
            text += length;
            rule += 2;
        } else if (*rule++ != *text++) {
            return false;
        }
    }
    return *text == '\0';
}

/* Returns the rule with the numbers in place of %u, or NULL when out of memory. */
static const char *fill_in(struct arena *arena, const char *rule, const unsigned numbers[NUMBERS_MAX])
{
    const char *filled = "";
    for (size_t i = 0; i <= NUMBERS_MAX && filled != NULL; i++) {
        const char *place = strstr(rule, "%u");
        if (place == NULL || i == NUMBERS_MAX)
            return arena_printf(arena, "%s%s", filled, rule);
        filled = arena_printf(arena, "%s%.*s%u", filled, (int)(place - rule), rule, numbers[i]);
        rule = place + 2;
    }
    return filled;
}

const char *rule_shown(struct arena *arena, const char *text)
{
    const char *colon = strstr(text, ": ");
    for (size_t i = 0; colon != NULL && i < sizeof RULES / sizeof RULES[0]; i++) {
        unsigned numbers[NUMBERS_MAX] = {0};
        const char *rule = message(RULES[i]);
        if (rule != RULES[i] && rule_fits(RULES[i], colon + 2, numbers)) {
            const char *filled = fill_in(arena, rule, numbers);
            return filled == NULL ? NULL : arena_printf(arena, "%.*s: %s", (int)(colon - text), text, filled);
        }
    }
    return NULL;
}
