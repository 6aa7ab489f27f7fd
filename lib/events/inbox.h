/*
 * Receives a publisher's pub/sub messages on nng's threads and keeps them for the follower's thread, whose
 * monitor guards everything here. It connects, and reconnects, by itself.
 */
#ifndef SCREENING_EVENTS_INBOX_H
#define SCREENING_EVENTS_INBOX_H

#include "monitor.h"

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "rpc/redial.h"

enum { INBOX_MESSAGES_MAX = 1024, INBOX_BYTES_MAX = 8 * 1024 * 1024, INBOX_TOPIC_MAX = 64 };

struct inbox {
    struct monitor *monitor;
    nng_socket socket;
    nng_aio *receive;
    struct inbox_link *link;
    char *address;
    struct rpc_redial redial;    /* the follower's thread's own */
    char topic[INBOX_TOPIC_MAX]; /* with its line feed */
    size_t topic_size;
    /* guarded */
    nng_msg *messages[INBOX_MESSAGES_MAX]; /* a ring */
    size_t first;
    size_t count;
    size_t bytes;
    int connections;
    bool was_connected;
    bool fetch_wanted; /* a new connection, or messages were dropped: only Fetch knows what was missed */
    bool muted;        /* nobody takes messages any more */
    int64_t heard_ns;  /* when the last message arrived; monotonic */
};

/* INVALID_ARGUMENT for a malformed address; RESOURCE_EXHAUSTED. A publisher that is not there yet is no
 * failure. */
MUST_CHECK enum status inbox_open(struct inbox *inbox, const char *topic, const char *address,
                                  struct monitor *monitor, struct error *error);

/* Stops receiving and frees what was kept. The socket itself stays until the process ends, see inbox.c. Not
 * with the monitor's lock held. */
void inbox_close(struct inbox *inbox);

/* To be called about every second while it is not connected, see redial.h. The follower's thread, without the
 * monitor's lock. */
void inbox_look_after(struct inbox *inbox);

/* The oldest message, now the caller's; NULL if there is none. With the monitor's lock held. */
nng_msg *inbox_take(struct inbox *inbox);

/* Frees what is kept and keeps nothing from now on, until it is unmuted. Not with the monitor's lock held. */
void inbox_mute(struct inbox *inbox);
void inbox_unmute(struct inbox *inbox);

#endif
