/* Connects the encoder and the decoder to jansson's parser and printer. */
#include <string.h>

#include "protojson/path.h"
#include "protojson/protojson.h"

enum status protojson_from_message(const ProtobufCMessage *message, unsigned flags, json_t **out,
                                   struct error *error)
{
    struct arena arena;
    arena_init(&arena);
    char *text = NULL;
    size_t size = 0;
    enum status status = protojson_write(message, flags, &arena, &text, &size, error);
    if (status == STATUS_OK) {
        json_t *json = json_loadb(text, size, JSON_DECODE_ANY, NULL); /* fails only when out of memory */
        if (json == NULL)
            status = error_no_memory(error);
        else
            *out = json;
    }
    arena_fini(&arena);
    return status;
}

enum status protojson_message_to_text(const ProtobufCMessage *message, unsigned flags, char **text,
                                      struct error *error)
{
    json_t *json = NULL;
    TRY(protojson_from_message(message, flags, &json, error));
    size_t layout = (flags & PROTOJSON_INDENT) != 0 ? JSON_INDENT(2) : JSON_COMPACT;
    char *made = json_dumps(json, layout | JSON_ENCODE_ANY);
    json_decref(json);
    if (made == NULL)
        return error_no_memory(error);
    *text = made;
    return STATUS_OK;
}

/*
 * Reports the parser's error. Removes "near '...'" from the end of jansson's messages, because it quotes
 * client data, possibly names, which must not reach the logs.
 */
static enum status refuse_text(const json_error_t *parsed, struct error *error)
{
    if (parsed->text[0] == '\0') /* the parser has a message for every failure except lack of memory */
        return error_no_memory(error);
    const char *near = strstr(parsed->text, " near '");
    int length = near != NULL ? (int)(near - parsed->text) : (int)strlen(parsed->text);
    return error_invalid(error, "JSON: %.*s, line %d, column %d", length, parsed->text, parsed->line,
                         parsed->column);
}

/*
 * Returns the position at which the number of values exceeds `max`, or NULL if it does not. Counts the values
 * by the characters that precede them.
 */
static const char *find_excess(const char *text, size_t size, size_t max)
{
    size_t values = 1;
    bool quoted = false;
    for (const char *at = text; at < text + size; at++) {
        switch (*at) {
        case '"':
            quoted = !quoted;
            break;
        case '\\':
            at += quoted; /* skip the escaped character */
            break;
        case ',':
        case '[':
        case '{':
            values += !quoted;
            if (values > max)
                return at;
            break;
        default:
            break;
        }
    }
    return NULL;
}

static enum status refuse_excess(const char *text, const char *excess, size_t max, struct error *error)
{
    int line = 1, column = 0;
    for (const char *at = text; at <= excess; at++) {
        line += *at == '\n';
        column = *at == '\n' ? 0 : column + 1;
    }
    return error_invalid(error, "JSON: more than %zu values, line %d, column %d", max, line, column);
}

enum status protojson_check_values(const char *text, size_t size_bytes, size_t max, struct error *error)
{
    const char *excess = find_excess(text, size_bytes, max);
    return excess == NULL ? STATUS_OK : refuse_excess(text, excess, max, error);
}

enum status protojson_text_to_message(const char *text, size_t size_bytes,
                                      const ProtobufCMessageDescriptor *descriptor, unsigned flags,
                                      struct arena *arena, ProtobufCMessage **out, struct error *error)
{
    if (size_bytes > 0 && memchr(text, '\0', size_bytes) != NULL) /* jansson misses a NUL after a number */
        return error_invalid(error, "JSON: NUL byte in the text");
    TRY(protojson_check_values(text, size_bytes, PROTOJSON_VALUES_MAX, error));
    /* The parser allows "\u0000", so that the decoder can report the field that contains it. */
    json_error_t parsed;
    json_t *json =
        json_loadb(text, size_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &parsed);
    if (json == NULL)
        return refuse_text(&parsed, error);
    enum status status = protojson_to_message(json, descriptor, flags, arena, out, error);
    json_decref(json);
    return status;
}
