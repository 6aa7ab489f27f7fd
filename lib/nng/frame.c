#include "nng/frame.h"

enum { LENGTH_BYTES = 8, BITS_PER_BYTE = 8 };

void frame_init(struct frame *frame, bool is_ipc)
{
    *frame = (struct frame){.place = FRAME_GREETING, .is_ipc = is_ipc};
}

static uint64_t read_length(const uint8_t *bytes)
{
    uint64_t length = 0;
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        length = length << BITS_PER_BYTE | bytes[i];
    return length;
}

static size_t smaller(uint64_t left, size_t size)
{
    return left < size ? (size_t)left : size;
}

/* Consumes bytes of the greeting. Returns their number. */
static size_t take_greeting(struct frame *frame, size_t size)
{
    size_t taken = smaller(FRAME_GREETING_BYTES - (uint64_t)frame->have, size);
    frame->have = (uint8_t)(frame->have + taken);
    if (frame->have == FRAME_GREETING_BYTES) {
        frame->place = FRAME_BETWEEN;
        frame->have = 0;
    }
    return taken;
}

/*
 * Consumes bytes of a length. Returns their number. Sets *completed if the message has no body and so is
 * complete.
 */
static size_t take_length(struct frame *frame, const uint8_t *bytes, size_t size, bool *completed)
{
    size_t kind = frame->is_ipc ? 1 : 0;
    size_t taken = smaller(kind + LENGTH_BYTES - frame->have, size);
    for (size_t i = 0; i < taken; i++)
        frame->header[frame->have++] = bytes[i];
    frame->place = FRAME_LENGTH;
    if (frame->have == kind + LENGTH_BYTES) {
        frame->have = 0;
        frame->size_bytes = frame->left_bytes = read_length(frame->header + kind);
        *completed = frame->size_bytes == 0;
        frame->place = *completed ? FRAME_BETWEEN : FRAME_BODY;
    }
    return taken;
}

static size_t take_body(struct frame *frame, size_t size, bool *completed)
{
    size_t taken = smaller(frame->left_bytes, size);
    frame->left_bytes -= taken;
    *completed = frame->left_bytes == 0;
    if (*completed)
        frame->place = FRAME_BETWEEN;
    return taken;
}

size_t frame_take(struct frame *frame, const uint8_t *bytes, size_t size)
{
    size_t messages = 0;
    while (size > 0) {
        bool completed = false;
        size_t taken = 0;
        switch (frame->place) {
        case FRAME_GREETING:
            taken = take_greeting(frame, size);
            break;
        case FRAME_BETWEEN:
        case FRAME_LENGTH:
            taken = take_length(frame, bytes, size, &completed);
            break;
        case FRAME_BODY:
            taken = take_body(frame, size, &completed);
            break;
        }
        messages += completed ? 1 : 0;
        bytes += taken;
        size -= taken;
    }
    return messages;
}
