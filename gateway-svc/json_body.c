#include "json_body.h"

#include "protojson/protojson.h"

enum { FIRST_SIZE = 1024 }; /* most responses are smaller */

bool json_body_set(struct http_request *request, const json_t *json, struct http_answer *answer)
{
    struct arena *arena = http_arena(request);
    size_t room = FIRST_SIZE;
    char *text = json != NULL ? arena_alloc(arena, room) : NULL;
    if (text == NULL)
        return false;
    size_t size = json_dumpb(json, text, room, JSON_COMPACT);
    if (size >= room) { /* json_dumpb returns the required size for another try */
        room = size + 1;
        text = arena_alloc(arena, room);
        if (text == NULL)
            return false;
        size = json_dumpb(json, text, room, JSON_COMPACT);
    }
    if (size == 0)
        return false;
    text[size] = '\n';
    answer->body = text;
    answer->body_size = size + 1;
    return true;
}

enum status json_body_write(const ProtobufCMessage *message, unsigned flags, struct arena *arena,
                            struct http_answer *answer, struct error *error)
{
    char *text;
    size_t size;
    TRY(protojson_write(message, flags, arena, &text, &size, error));
    text[size] = '\n'; /* replaces the NUL at the end */
    answer->body = text;
    answer->body_size = size + 1;
    return STATUS_OK;
}
