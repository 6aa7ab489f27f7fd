#include "events/event_text.h"

bool event_id_parse(const char *text, struct uuid *out)
{
    if (text[0] != '\0')
        return uuid_parse(text, out);
    *out = (struct uuid){{0}};
    return true;
}

char *event_id_format(const struct uuid *id, char out[UUID_TEXT_SIZE])
{
    if (!uuid_is_zero(id))
        return uuid_format(id, out);
    out[0] = '\0';
    return out;
}
