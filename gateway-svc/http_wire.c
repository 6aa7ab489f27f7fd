#include "http_wire.h"

#include <ctype.h>
#include <string.h>

static const char CONTENT_LENGTH[] = "content-length", TRANSFER_ENCODING[] = "transfer-encoding";

/* Ends a line. Only LF may follow CR. */
static void end_line(struct http_wire *wire, enum http_wire_state next)
{
    wire->state = WIRE_LF;
    wire->after_lf = next;
}

static bool is_control(char byte)
{
    enum { DEL = 0x7f };
    return ((unsigned char)byte < ' ' && byte != '\t') || byte == DEL;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* ---- the head */

static void begin_field(struct http_wire *wire)
{
    wire->name_size = 0;
    wire->value_size = 0;
}

static void add_name(struct http_wire *wire, char byte)
{
    if (wire->name_size < sizeof wire->name)
        wire->name[wire->name_size++] = (char)tolower((unsigned char)byte);
}

static void add_value(struct http_wire *wire, char byte)
{
    if (wire->value_size < sizeof wire->value && !(is_space(byte) && wire->value_size == 0))
        wire->value[wire->value_size++] = (char)tolower((unsigned char)byte);
}

static bool name_is(const struct http_wire *wire, const char *name)
{
    return wire->name_size == strlen(name) && memcmp(wire->name, name, wire->name_size) == 0;
}

static bool value_is(const struct http_wire *wire, const char *value)
{
    return wire->value_size == strlen(value) && memcmp(wire->value, value, wire->value_size) == 0;
}

static void end_name(struct http_wire *wire)
{
    wire->state = WIRE_VALUE;
    wire->tells_length =
        !wire->trailer && (name_is(wire, CONTENT_LENGTH) || name_is(wire, TRANSFER_ENCODING));
}

/* Reads the length. Returns false if http_head.h and libmicrohttpd would not accept it. */
static bool read_length(struct http_wire *wire)
{
    enum { DECIMAL = 10, DIGITS_MAX = 19 };
    wire->left = 0;
    for (unsigned i = 0; i < wire->value_size; i++) {
        if (!isdigit((unsigned char)wire->value[i]))
            return false;
        wire->left = DECIMAL * wire->left + (uint64_t)(wire->value[i] - '0');
    }
    return wire->value_size > 0 && wire->value_size <= DIGITS_MAX;
}

static void end_field(struct http_wire *wire)
{
    end_line(wire, WIRE_NAME_FIRST);
    if (!wire->tells_length)
        return;
    wire->lengths++;
    while (wire->value_size > 0 && is_space(wire->value[wire->value_size - 1]))
        wire->value_size--;
    if (name_is(wire, CONTENT_LENGTH)) {
        wire->doubtful |= !read_length(wire);
    } else {
        wire->doubtful |= !value_is(wire, "chunked");
        wire->chunked = true;
    }
}

static enum http_wire_state after_head(struct http_wire *wire)
{
    if (wire->lengths > 1 || wire->doubtful)
        return WIRE_UNCHECKED;
    if (wire->trailer || wire->lengths == 0 || (!wire->chunked && wire->left == 0))
        return WIRE_START;
    return wire->chunked ? WIRE_SIZE_FIRST : WIRE_BODY;
}

static void take_in_head(struct http_wire *wire, char byte)
{
    switch (wire->state) {
    case WIRE_START:
        *wire = (struct http_wire){.state = WIRE_LINE};
        if (byte == '\r')
            end_line(wire, WIRE_START);
        break;
    case WIRE_LINE:
        if (byte == '\r')
            end_line(wire, WIRE_NAME_FIRST);
        break;
    case WIRE_NAME_FIRST:
        begin_field(wire);
        if (byte == '\r') {
            end_line(wire, after_head(wire));
            break;
        }
        wire->state = strchr(" \t:", byte) != NULL ? WIRE_BAD : WIRE_NAME;
        add_name(wire, byte);
        break;
    case WIRE_NAME:
        if (byte == '\r')
            wire->state = WIRE_BAD; /* a line without a colon */
        else if (byte == ':')
            end_name(wire);
        else
            add_name(wire, byte);
        break;
    default: /* WIRE_VALUE */
        if (byte == '\r')
            end_field(wire);
        else
            add_value(wire, byte);
        break;
    }
}

/* ---- chunks */

/* Adds a digit to the chunk size. Returns false if it is no digit, or if the size would be too large. */
static bool add_digit(struct http_wire *wire, char byte)
{
    enum { HEX_BITS = 4, TOP_BITS = 60, TEN = 10 };
    if (!isxdigit((unsigned char)byte) || wire->left >> TOP_BITS != 0)
        return false;
    int digit = isdigit((unsigned char)byte) ? byte - '0' : tolower((unsigned char)byte) - 'a' + TEN;
    wire->left = wire->left << HEX_BITS | (uint64_t)digit;
    return true;
}

static void end_size(struct http_wire *wire)
{
    wire->trailer = wire->left == 0;
    end_line(wire, wire->trailer ? WIRE_NAME_FIRST : WIRE_CHUNK);
}

static void take_in_chunks(struct http_wire *wire, char byte)
{
    switch (wire->state) {
    case WIRE_SIZE_FIRST:
        wire->left = 0;
        wire->state = add_digit(wire, byte) ? WIRE_SIZE : WIRE_BAD;
        break;
    case WIRE_SIZE:
        if (byte == '\r')
            end_size(wire);
        else if (byte == ';')
            wire->state = WIRE_EXTENSION;
        else if (!add_digit(wire, byte))
            wire->state = WIRE_BAD;
        break;
    case WIRE_EXTENSION:
        if (byte == '\r')
            end_size(wire);
        break;
    default: /* WIRE_CHUNK_END */
        wire->state = WIRE_BAD;
        if (byte == '\r')
            end_line(wire, WIRE_SIZE_FIRST);
        break;
    }
}

/* ---- everything */

/* Returns whether the bytes up to the end of the line are ignored, unless they are control characters. */
static bool is_passed_over(const struct http_wire *wire)
{
    return wire->state == WIRE_LINE || wire->state == WIRE_EXTENSION ||
           (wire->state == WIRE_VALUE && !wire->tells_length);
}

static size_t count_plain(const char *bytes, size_t size)
{
    size_t count = 0;
    while (count < size && !is_control(bytes[count]))
        count++;
    return count;
}

static void take(struct http_wire *wire, char byte)
{
    if (wire->state == WIRE_LF)
        wire->state = byte == '\n' ? wire->after_lf : WIRE_BAD;
    else if (is_control(byte) && byte != '\r')
        wire->state = WIRE_BAD; /* includes a lone LF */
    else if (wire->state < WIRE_BODY)
        take_in_head(wire, byte);
    else
        take_in_chunks(wire, byte);
}

/* Skips the available bytes of a body or a chunk, which may have any value. Returns their number. */
static size_t skip(struct http_wire *wire, size_t size)
{
    size_t there = wire->left < size ? (size_t)wire->left : size;
    wire->left -= there;
    if (wire->left == 0)
        wire->state = wire->state == WIRE_BODY ? WIRE_START : WIRE_CHUNK_END;
    return there;
}

bool http_wire_take(struct http_wire *wire, const char *bytes, size_t size)
{
    size_t at = 0;
    while (at < size && wire->state != WIRE_UNCHECKED && wire->state != WIRE_BAD) {
        if (wire->state == WIRE_BODY || wire->state == WIRE_CHUNK) {
            at += skip(wire, size - at);
            continue;
        }
        if (is_passed_over(wire))
            at += count_plain(bytes + at, size - at);
        if (at < size)
            take(wire, bytes[at++]);
    }
    return wire->state != WIRE_BAD;
}
