#include "json_body.h"

enum { FIRST_SIZE = 1024 }; /* most answers are smaller */

bool json_body_set(struct http_request *request, const json_t *json, struct http_answer *answer)
{
    struct arena *arena = http_arena(request);
    size_t room = FIRST_SIZE;
    char *text = json != NULL ? arena_alloc(arena, room) : NULL;
    if (text == NULL)
        return false;
    size_t size = json_dumpb(json, text, room, JSON_COMPACT);
    if (size > room) { /* nothing was cut: it tells what it needs */
        room = size;
        text = arena_alloc(arena, room);
        if (text == NULL)
            return false;
        size = json_dumpb(json, text, room, JSON_COMPACT);
    }
    answer->body = text;
    answer->body_size = size;
    return size > 0;
}
