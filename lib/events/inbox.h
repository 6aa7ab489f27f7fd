/*
 * Receives the pub/sub messages of one or several publishers of a log on nng's threads and queues them for
 * the follower's thread, in order of arrival. The follower's monitor guards the inbox. The socket connects
 * and reconnects on its own. If an address is a host name, it stands for all addresses of the name
 * (base/resolver.h).
 */
#ifndef SCREENING_EVENTS_INBOX_H
#define SCREENING_EVENTS_INBOX_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/monitor.h"
#include "base/resolver.h"
#include "base/status.h"
#include "events/dialers.h"

enum { INBOX_MESSAGES_MAX = 1024, INBOX_BYTES_MAX = 8 * 1024 * 1024, INBOX_TOPIC_MAX = 64 };

struct inbox {
    struct monitor *monitor;
    nng_socket socket;
    nng_aio *receive;
    struct inbox_link *link;
    struct resolver *resolver;   /* NULL if no address is a host name */
    char topic[INBOX_TOPIC_MAX]; /* the topic, followed by a line feed */
    size_t topic_size;
    /* The following members are guarded by the monitor. */
    nng_msg *messages[INBOX_MESSAGES_MAX]; /* a ring */
    size_t first;
    size_t count;
    size_t bytes;
    struct dialers dialers;
    /* Set by inbox_unmute and when a connection is made, because only Fetch returns the missed events. */
    bool fetch_wanted;
    /* Whether messages were dropped. Also causes a fetch, except while Fetch is failing. */
    bool dropped;
    bool muted;       /* whether messages are dropped on arrival */
    int64_t heard_ns; /* when the last message arrived; monotonic */
};

/*
 * Opens the socket. `addresses` are separated by commas (base/address_list.h). Returns INVALID_ARGUMENT for a
 * malformed address, or RESOURCE_EXHAUSTED. Succeeds even if no publisher is running yet, or no name resolves
 * yet.
 */
MUST_CHECK enum status inbox_open(struct inbox *inbox, const char *topic, const char *addresses,
                                  struct monitor *monitor, struct error *error);

/* Stops receiving and frees the queued messages. The socket stays open until the process ends; see inbox.c.
 * The caller must not hold the monitor's lock. */
void inbox_close(struct inbox *inbox);

/*
 * Dials, redials and closes what is due. Call it at dialers_look_due_ns at the latest, on the follower's
 * thread, without the monitor's lock.
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
