#include "rest_request.h"

#include "header_rules.h"
#include "http_status.h"
#include "request_bounds.h"
#include "rest_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/caller.h"
#include "base/check.h"
#include "base/uuid.h"
#include "protojson/protojson.h"

enum { KEY_MAX_BYTES = 255, FIELDS_MAX = 16 };

static const char NOT_JSON[] = "Content-Type: must be application/json in UTF-8";

/* The namespace for ids derived from keys that are not UUIDs. Never change it. */
static const struct uuid key_name_space = {
    {0x06, 0xb8, 0x38, 0xdb, 0xec, 0x70, 0x49, 0xbf, 0x9b, 0x06, 0x09, 0xba, 0x93, 0xf0, 0x3a, 0xd3}};

/* A request being read. */
struct reading {
    struct http_request *request;
    ProtobufCMessage *message;
    struct rest_refusal *refusal;
    const struct auth_caller *caller; /* NULL = unknown */
    const char *given[FIELDS_MAX];    /* the values in the query, by the field's index in the descriptor */
};

static bool refuse(struct rest_refusal *refusal, unsigned code, const char *why)
{
    refusal->code = code;
    (void)error_invalid(&refusal->error, "%s", why);
    return false;
}

static bool no_memory(struct rest_refusal *refusal)
{
    return refuse(refusal, HTTP_SERVICE_UNAVAILABLE, "out of memory");
}

/*
 * Returns whether a status from protojson is OK. If not, sets the code of the refusal; protojson has already
 * set its error.
 */
static bool accept(struct rest_refusal *refusal, enum status status)
{
    if (status == STATUS_RESOURCE_EXHAUSTED)
        return no_memory(refusal);
    refusal->code = status == STATUS_OK ? 0 : HTTP_BAD_REQUEST;
    return status == STATUS_OK;
}

static bool set(const struct reading *reading, const char *name, const char *text)
{
    struct rest_refusal *refusal = reading->refusal;
    return accept(refusal, protojson_set_text(reading->message, name, text, http_arena(reading->request),
                                              &refusal->error));
}

/* ---- the body ---- */

static bool set_nothing(struct reading *reading, const ProtobufCMessageDescriptor *input)
{
    reading->message = arena_alloc(http_arena(reading->request), input->sizeof_message);
    if (reading->message == NULL)
        return no_memory(reading->refusal);
    protobuf_c_message_init(input, reading->message);
    return true;
}

static bool read_body(struct reading *reading, enum rest_body wanted, const ProtobufCMessageDescriptor *input)
{
    struct rest_refusal *refusal = reading->refusal;
    size_t size;
    const char *body = http_body(reading->request, &size);
    const char *type = http_header(reading->request, "Content-Type");
    if (wanted != REST_BODY_NONE && header_is_form(type))
        return refuse(refusal, HTTP_UNSUPPORTED_MEDIA_TYPE, NOT_JSON);
    if (size == 0 && wanted != REST_BODY_REQUIRED)
        return set_nothing(reading, input);
    if (wanted == REST_BODY_NONE)
        return refuse(refusal, HTTP_BAD_REQUEST, "the request must not have a body");
    if (size == 0)
        return refuse(refusal, HTTP_BAD_REQUEST, "the request must have a body: a JSON object");
    if (!header_is_json(type, true))
        return refuse(refusal, HTTP_UNSUPPORTED_MEDIA_TYPE, NOT_JSON);
    if (!header_is_identity(http_header(reading->request, "Content-Encoding"))) {
        http_add_field(reading->request, "Accept-Encoding", "identity");
        return refuse(refusal, HTTP_UNSUPPORTED_MEDIA_TYPE,
                      "Content-Encoding: must be identity, or not be given");
    }
    enum status status = request_bounds_check_json(input, body, size, &refusal->error);
    if (status == STATUS_OK)
        status = protojson_text_to_message(body, size, input, 0, http_arena(reading->request),
                                           &reading->message, &refusal->error);
    return accept(refusal, status);
}

/* ---- path and query ---- */

static bool read_path(const struct reading *reading, const struct rest_match *match)
{
    struct arena *arena = http_arena(reading->request);
    for (size_t i = 0; i < match->parameter_count; i++) {
        const struct rest_parameter *given = &match->parameters[i];
        const char *name = arena_printf(arena, "%.*s", (int)given->name_size, given->name);
        const char *value = http_segment(reading->request, given->value, given->value_size);
        if (name == NULL || value == NULL)
            return no_memory(reading->refusal);
        if (!set(reading, name, value))
            return false;
    }
    return true;
}

/*
 * Sets a parameter. protojson treats 0 as unset and would accept another value after it, so this function
 * itself compares repeated values.
 */
static bool set_parameter(void *context, const char *name, const char *value)
{
    struct reading *reading = context;
    if (!set(reading, name, value))
        return false;
    int index = protojson_field_index(reading->message->descriptor, name);
    const char **given = index >= 0 && index < FIELDS_MAX ? &reading->given[index] : NULL;
    if (given != NULL && *given != NULL && strcmp(*given, value) != 0) {
        (void)error_invalid(&reading->refusal->error, "%s: must not be given twice with other values", name);
        reading->refusal->code = HTTP_BAD_REQUEST;
        return false;
    }
    if (given != NULL)
        *given = value;
    return true;
}

static bool refuse_parameter(void *context, const char *name, const char *value)
{
    struct reading *reading = context;
    (void)value;
    (void)error_invalid(&reading->refusal->error, "%s: is not a parameter here", name);
    reading->refusal->code = HTTP_BAD_REQUEST;
    return false;
}

/* Reads the query. A route with a body takes no query parameters. */
static bool read_query(struct reading *reading, enum rest_body body)
{
    return http_query_visit(reading->request, body == REST_BODY_NONE ? set_parameter : refuse_parameter,
                            reading);
}

/* ---- header fields ---- */

/* Returns whether the text field already contains `id`, in upper or lower case. */
static bool holds(const ProtobufCMessage *message, const char *field, const struct uuid *id)
{
    const ProtobufCFieldDescriptor *found =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, field);
    struct uuid held;
    return uuid_parse(*(char *const *)((const char *)message + found->offset), &held) &&
           uuid_compare(&held, id) == 0;
}

/*
 * Derives the id from a key that is no UUID. If a token proves who calls, the name is the issuer's digest,
 * the subject, a NUL and the key. A key alone contains no NUL, so it is never the name of a caller's key.
 */
static struct uuid derive_id(const struct auth_caller *caller, const char *key, size_t size)
{
    static const uint8_t UNKNOWN[DIGEST_SIZE];
    uint8_t name[DIGEST_SIZE + AUTH_SUBJECT_MAX + 1 + KEY_MAX_BYTES];
    if (caller == NULL || memcmp(caller->issuer, UNKNOWN, sizeof UNKNOWN) == 0)
        return uuid_v5(&key_name_space, key, size);
    const size_t subject_size = strlen(caller->subject) + 1;
    CHECK(DIGEST_SIZE + subject_size + size <= sizeof name);
    memcpy(name, caller->issuer, DIGEST_SIZE);
    memcpy(name + DIGEST_SIZE, caller->subject, subject_size);
    memcpy(name + DIGEST_SIZE + subject_size, key, size);
    return uuid_v5(&key_name_space, name, DIGEST_SIZE + subject_size + size);
}

/*
 * Sets the id from Idempotency-Key. The id is the key itself if the key is a UUID, otherwise a UUID derived
 * from the caller and the key, so that the same key of a caller always gives the same id.
 */
static bool read_key(const struct reading *reading, const char *field)
{
    static const char RULE[] = "Idempotency-Key: must be a UUID or a text of 1 to 255 bytes";
    const char *key = http_header(reading->request, "Idempotency-Key");
    if (key == NULL)
        return true;
    size_t size = strlen(key);
    if (size >= 2 && key[0] == '"' && key[size - 1] == '"') { /* quoted, as in structured fields */
        key++;
        size -= 2;
    }
    if (size == 0 || size > KEY_MAX_BYTES)
        return refuse(reading->refusal, HTTP_BAD_REQUEST, RULE);
    char text[KEY_MAX_BYTES + 1];
    snprintf(text, sizeof text, "%.*s", (int)size, key);
    struct uuid id;
    if (!uuid_parse(text, &id))
        id = derive_id(reading->caller, text, size);
    if (holds(reading->message, field, &id))
        return true;
    char id_text[UUID_TEXT_SIZE];
    return set(reading, field, uuid_format(&id, id_text));
}

/*
 * Sets the version from If-Match. Accepts an ETag that the gateway has sent: a version in quotes, possibly
 * after the W/ that a compressing proxy adds. "*" matches any version. To the services, 0 also means any
 * version, but no resource has version 0, so "0" is rejected.
 */
static bool read_if_match(const struct reading *reading, const char *field)
{
    static const char RULE[] = "If-Match: must be one ETag as it was given, such as \"7\", or *";
    static const char WEAK[] = "W/";
    enum { VERSION_MAX_DIGITS = 20 };
    const char *tag = http_header(reading->request, "If-Match");
    if (tag == NULL || strcmp(tag, "*") == 0)
        return true;
    if (strncmp(tag, WEAK, strlen(WEAK)) == 0)
        tag += strlen(WEAK);
    size_t digits = tag[0] == '"' ? strspn(tag + 1, "0123456789") : 0;
    if (digits == 0 || digits > VERSION_MAX_DIGITS || tag[1] == '0' || strcmp(tag + 1 + digits, "\"") != 0)
        return refuse(reading->refusal, HTTP_BAD_REQUEST, RULE);
    char version[VERSION_MAX_DIGITS + 1];
    snprintf(version, sizeof version, "%.*s", (int)digits, tag + 1);
    return set(reading, field, version);
}

/* Refuses an If-Match that the route would silently ignore. */
static bool takes_any(const struct reading *reading, const struct rest_route *route)
{
    const char *tag = http_header(reading->request, "If-Match");
    if (tag == NULL || strcmp(tag, "*") == 0 || strcmp(route->method, "GET") == 0)
        return true;
    return refuse(reading->refusal, HTTP_BAD_REQUEST, "If-Match: is understood on PUT of a day only");
}

ProtobufCMessage *rest_request_read(struct http_request *request, const struct rest_match *match,
                                    const struct auth_caller *caller, const ProtobufCMessageDescriptor *input,
                                    struct rest_refusal *refusal)
{
    const struct rest_route *route = match->route;
    struct reading reading = {.request = request, .caller = caller, .refusal = refusal};
    refusal->code = 0;
    bool read =
        read_body(&reading, route->body, input) && read_path(&reading, match) &&
        read_query(&reading, route->body) && (route->id == NULL || read_key(&reading, route->id)) &&
        (route->if_match == NULL ? takes_any(&reading, route) : read_if_match(&reading, route->if_match));
    if (!read)
        rest_words(input, refusal->error.message);
    return read ? reading.message : NULL;
}

uint32_t rest_request_timeout(const struct http_request *request, uint32_t default_ms, uint32_t max_ms,
                              struct rest_refusal *refusal)
{
    const char *text = http_header(request, "Request-Timeout-Ms");
    if (text == NULL)
        return default_ms;
    char *end;
    unsigned long ms = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (ms == 0 || *end != '\0' || ms > max_ms) {
        refusal->code = HTTP_BAD_REQUEST;
        (void)error_invalid(&refusal->error, "Request-Timeout-Ms: must be an integer from 1 to %u", max_ms);
        return 0;
    }
    return (uint32_t)ms;
}
