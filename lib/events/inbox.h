/*
 * Receives a publisher's pub/sub messages on nng's threads and queues them for the follower's thread. The
 * follower's monitor guards the inbox. The socket connects and reconnects on its own.
 */
#ifndef SCREENING_EVENTS_INBOX_H
#define SCREENING_EVENTS_INBOX_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/monitor.h"
#include "base/status.h"
#include "nng/redial.h"

enum { INBOX_MESSAGES_MAX = 1024, INBOX_BYTES_MAX = 8 * 1024 * 1024, INBOX_TOPIC_MAX = 64 };

struct inbox {
    struct monitor *monitor;
    nng_socket socket;
    nng_aio *receive;
    struct inbox_link *link;
    char *address;
    struct redial redial;        /* used only by the follower's thread */
    char topic[INBOX_TOPIC_MAX]; /* the topic, followed by a line feed */
    size_t topic_size;
    /* The following members are guarded by the monitor. */
    nng_msg *messages[INBOX_MESSAGES_MAX]; /* a ring */
    size_t first;
    size_t count;
    size_t bytes;
    int connections;
    bool was_connected;
    /* Set by inbox_unmute and when a connection is made, because only Fetch returns the missed events. */
    bool fetch_wanted;
    /* Whether messages were dropped. Also causes a fetch, except while Fetch is failing. */
    bool dropped;
    bool muted;       /* whether messages are dropped on arrival */
    int64_t heard_ns; /* when the last message arrived; monotonic */
};

/*
 * Opens the socket. Returns INVALID_ARGUMENT for a malformed address, or RESOURCE_EXHAUSTED. Succeeds even if
 * the publisher is not running yet.
 */
MUST_CHECK enum status inbox_open(struct inbox *inbox, const char *topic, const char *address,
                                  struct monitor *monitor, struct error *error);

/* Stops receiving and frees the queued messages. The socket stays open until the process ends; see inbox.c.
 * The caller must not hold the monitor's lock. */
void inbox_close(struct inbox *inbox);

/*
 * Redials if necessary (redial.h). Call it about once a second while disconnected, on the follower's thread,
 * without the monitor's lock.
 */
void inbox_look_after(struct inbox *inbox);

/*
 * Returns the oldest message, which then belongs to the caller, or NULL if there is none. The caller must
 * hold the monitor's lock.
 */
nng_msg *inbox_take(struct inbox *inbox);

/* Frees the queued messages and drops new ones until inbox_unmute. The caller must not hold the monitor's
 * lock. */
void inbox_mute(struct inbox *inbox);
void inbox_unmute(struct inbox *inbox);

#endif
