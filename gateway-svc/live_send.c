#include "live_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"
#include "protojson/protojson.h"

static struct metric sent_total = METRIC("live_messages_total", "Messages sent to listeners of /events");

void live_send_register_metrics(void)
{
    metric_register(&sent_total);
}

/*
 * Gets the position of a listener. Returns false until the followers of both logs have begun, because the
 * heads are not known before that.
 */
static bool position_of(const struct live_listener *listener, struct live_position *out)
{
    const struct live *live = listener->live;
    if (!live->known[LIVE_BOOKING] || !live->known[LIVE_HOSPITAL])
        return false;
    *out = live->position;
    if (listener->customer != NULL && (listener->behind || listener->booking_seq > out->booking))
        out->booking = listener->booking_seq;
    return true;
}

/*
 * Writes the text to the stream. Returns false if that fails or `text` is NULL. In both cases the stream
 * ends, and the listener with it.
 */
static bool write_text(struct live_listener *listener, const char *text)
{
    if (text != NULL)
        return http_stream_write(listener->stream, text, strlen(text));
    http_stream_end(listener->stream);
    return false;
}

void live_send(struct live_listener *listener, const char *name, const char *data)
{
    struct live_position position;
    char *text = NULL;
    if (data != NULL)
        text = live_message(position_of(listener, &position) ? &position : NULL, name, data);
    if (write_text(listener, text))
        metric_add(&sent_total, 1);
    free(text);
}

void live_send_position(struct live_listener *listener, const char *first)
{
    struct live_position position;
    char id[LIVE_POSITION_SIZE];
    char text[LIVE_POSITION_SIZE + 64];
    if (position_of(listener, &position))
        (void)snprintf(text, sizeof text, "%sid: %s\n\n", first, live_position_format(&position, id));
    else
        (void)snprintf(text, sizeof text, "%s\n", first);
    (void)write_text(listener, text);
}

void live_send_booking(struct live_listener *listener, const Screening__V1__Event *event, const char *data)
{
    listener->booking_seq = event->seq;
    live_send(listener, "booking", data);
}

char *live_booking_data(const Screening__V1__Event *event)
{
    char *text = NULL;
    struct error error;
    if (protojson_message_to_text(&event->booking->base, PROTOJSON_EMIT_DEFAULTS, &text, &error) != STATUS_OK)
        return NULL;
    return text;
}
