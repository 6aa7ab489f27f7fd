/* Converts settings to and from text. Private to lib/service. */
#ifndef SCREENING_SERVICE_CONFIG_TEXT_H
#define SCREENING_SERVICE_CONFIG_TEXT_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "service/config.h"

enum { CONFIG_ENVIRONMENT_NAME_SIZE = 96 };

/* Converts "rpc-listen" to "SCREENING_RPC_LISTEN". Returns `out`. */
char *config_environment_name(const char *name, char out[CONFIG_ENVIRONMENT_NAME_SIZE]);

/*
 * Stores `text` as the setting's value. If the value is a text, it is not copied, so `text` must stay valid.
 * If `text` is not a valid value, returns INVALID_ARGUMENT with only the rule as the message ("must be 1 to
 * 64").
 */
MUST_CHECK enum status config_parse(const struct setting *setting, const char *text, struct error *error);

/*
 * Returns the setting's current value as text, without secrets. The text is in the arena or belongs to the
 * setting. Returns NULL when out of memory.
 */
const char *config_show(const struct setting *setting, struct arena *arena);

#endif
