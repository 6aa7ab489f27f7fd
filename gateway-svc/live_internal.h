/*
 * Private to live*.c: listeners and their subscriptions. One monitor guards them all. Acquire the monitor
 * before a stream's own lock, and never hold it during a call to a service.
 */
#ifndef SCREENING_GATEWAY_SVC_LIVE_INTERNAL_H
#define SCREENING_GATEWAY_SVC_LIVE_INTERNAL_H

#include "live.h"
#include "live_budget.h"
#include "live_text.h"

#include "base/digest.h"
#include "base/map.h"
#include "base/monitor.h"
#include "base/queue.h"
#include "base/ticker.h"
#include "events/follower.h"

enum live_log { LIVE_BOOKING, LIVE_HOSPITAL, LIVE_LOGS };

enum days_state {
    DAYS_SENT, /* the listener has received its days and gets changes */
    DAYS_WANTED,
    DAYS_BEING_READ,
};

struct live_listener {
    struct live *live;
    struct http_stream *stream;
    struct list_node node;
    /* Who listens, if a token proved it: security_still_counts is asked every second. */
    bool has_caller;
    bool has_outlived;         /* whether the stream was ended because of that */
    struct auth_caller caller; /* without its subject and scope, which the request owned */
    /* The subscription to a customer's bookings. */
    char *customer_id; /* NULL = none */
    struct live_customer *customer;
    struct list_node of_customer;
    bool has_begin; /* whether booking_seq is valid */
    /*
     * Whether the listener is behind the follower. If so, live_replay.c sends events to the listener until it
     * has caught up.
     */
    bool behind;
    bool in_round;        /* private to live_replay.c */
    uint64_t budget_key;  /* key in live->budget for replayed messages */
    uint64_t booking_seq; /* events up to this one have been sent or skipped */
    /* The subscription to a hospital's days. */
    struct live_hospital *hospital; /* NULL = none */
    struct list_node of_hospital;
    struct live_window window;
    int32_t fresh_from; /* first of the days that are sent even if unchanged; INT32_MAX = none */
    enum days_state days;
};

/* A customer with listeners. */
struct live_customer {
    uint8_t key[DIGEST_SIZE]; /* digest of the customer's id */
    struct list listeners;
};

/* A day as it was last sent to listeners. */
struct live_day {
    int32_t date;
    uint32_t capacity, remaining;
    uint64_t version;
};

/* A range of days, both ends included. It is empty if `from` is after `to`. */
struct live_range {
    int32_t from, to;
};

#define LIVE_RANGE_EMPTY ((struct live_range){INT32_MAX, INT32_MIN})

/* Extends the range so that it also covers `from` to `to`. */
static inline void live_range_cover(struct live_range *range, int32_t from, int32_t to)
{
    if (from < range->from)
        range->from = from;
    if (to > range->to)
        range->to = to;
}

/* A hospital with listeners. */
struct live_hospital {
    struct uuid id;
    struct list listeners;
    struct live_range wanted; /* the smallest range that covers the windows of all listeners */
    /* The following members are initialised by live_registry.c, and then private to live_days.c. */
    struct list_node to_read;  /* the hospital's node in live->to_read */
    bool listed;               /* whether the hospital is in live->to_read */
    int64_t due_ns;            /* when to read; INT64_MAX = no reading is due */
    int64_t read_ns;           /* when the last reading began */
    struct live_range touched; /* days that may have changed */
    int64_t again_ns;          /* when to recheck the days in `again`; INT64_MAX = never */
    int64_t again_pause_ns;
    struct live_range again;
    struct live_day *days; /* the days as last read, in order of date */
    size_t day_count, day_capacity;
    char gone[ERROR_REASON_SIZE]; /* reason of the last refusal to list the hospital's days, or "" */
};

struct live {
    struct event_follower *followers[LIVE_LOGS];
    struct ticker *keeper; /* maintains the streams */
    unsigned looks;        /* private to the keeper */
    struct ticker *replayer;
    struct live_days *days;
    struct rpc_channel *booking_channel;
    struct rpc_client *booking_log;
    struct security *security;
    bool public_catalogue;
    size_t listeners_max;
    struct monitor monitor; /* guards the following members; the thread that reads days waits on it */
    bool stopping;
    struct list listeners;
    size_t listener_count;
    struct map customers; /* digest of the customer's id -> struct live_customer */
    struct map hospitals; /* id -> struct live_hospital */
    struct list to_read;  /* hospitals whose days are to be read */
    struct live_budget budget;
    struct live_position position; /* positions of the followers */
    bool known[LIVE_LOGS];         /* whether the followers have begun */
};

/* ---- live_registry.c: the subscriptions of listeners; the caller holds the lock ---- */

/*
 * Adds a listener to the customer and the hospital of the filter. When out of memory, adds nothing and
 * returns RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status live_registry_add(struct live *live, struct live_listener *listener,
                                         const struct live_filter *filter);
void live_registry_remove(struct live *live, struct live_listener *listener);

/* Recomputes hospital->wanted. Call it when the window of one of the hospital's listeners has changed. */
void live_registry_measure(struct live_hospital *hospital);

/* Return the customer or the hospital, or NULL if it has no listeners. */
struct live_customer *live_registry_customer(const struct live *live, const char *customer_id);
struct live_hospital *live_registry_hospital(const struct live *live, const char *hospital_id);

/* ---- live_send.c: sends messages and advances listeners; the caller holds the lock ---- */

/*
 * Sends the message `name`. If `data` is NULL because an allocation failed, ends the stream, so that the
 * listener reconnects.
 */
void live_send(struct live_listener *listener, const char *name, const char *data);

/* Sends `first`. If the listener's position is known, then sends a message with only the position. */
void live_send_position(struct live_listener *listener, const char *first);

/*
 * Sends a booking's event to one of its customer's listeners, and advances the listener to the event. `data`
 * comes from live_booking_data.
 */
void live_send_booking(struct live_listener *listener, const Screening__V1__Event *event, const char *data);

/* Returns whether the event concerns customers, as all booking events do except booking.released. */
bool live_concerns_customers(const Screening__V1__Event *event);

/*
 * Returns the event's booking as JSON, which the caller frees. Returns NULL on failure, for example when out
 * of memory.
 */
char *live_booking_data(const Screening__V1__Event *event);

void live_send_register_metrics(void);

/* ---- live_events.c: events from the logs ---- */

/* The callbacks of both followers. The context is the struct live. */
void live_booking_begun(void *context, uint64_t head_seq);
void live_booking_take(void *context, Screening__V1__Event *const *events, size_t count);
void live_hospital_begun(void *context, uint64_t head_seq);
void live_hospital_take(void *context, Screening__V1__Event *const *events, size_t count);

/*
 * A listener that starts more than LIVE_REPLAY_MAX events behind is reset and must then query the services
 * instead. LIVE_REPLAY_TOO_LONG is the limit for a listener that falls behind later.
 */
enum { LIVE_REPLAY_MAX = 1000, LIVE_REPLAY_TOO_LONG = 2000 };

/*
 * Sends "reset" to a customer's listener, so that it queries the services, and moves it to the follower's
 * position. The caller holds the lock.
 */
void live_reset(struct live_listener *listener);

/*
 * Sets where a customer's listener starts: at booking_seq if has_begin is set, otherwise at the head. Resets
 * the listener if booking_seq is ahead of the log or too far behind. If the follower has not begun, only
 * marks the listener as behind. The caller holds the lock.
 */
void live_place(struct live_listener *listener);

/* ---- live_days.c ---- */

/* Starts the thread that reads days. Returns RESOURCE_EXHAUSTED when out of memory or threads. */
MUST_CHECK enum status live_days_open(struct live *live, struct rpc_channel *channel, struct live_days **out,
                                      struct error *error);
void live_days_close(struct live_days *days);

/*
 * Marks the days `from` to `to`, which may have changed. If `late`, they may also change soon without another
 * event. The caller holds the lock.
 */
void live_days_touch(struct live *live, struct live_hospital *hospital, int32_t from, int32_t to, bool late);

/* Schedules a reading of all days of the listener's window. The caller holds the lock. */
void live_days_want(struct live *live, struct live_listener *listener);

/* Moves the listener's window to `today`, and schedules a reading of new days. The caller holds the lock. */
void live_days_move(struct live *live, struct live_listener *listener, int32_t today);

/* Frees the days of a hospital without listeners, and cancels its readings. The caller holds the lock. */
void live_days_forget(struct live_hospital *hospital);

/* ---- live_replay.c ---- */

/* Sends missed events to listeners that are behind. A ticker_fn whose context is the struct live. */
void live_replay(void *context, struct ticker *ticker);

#endif
