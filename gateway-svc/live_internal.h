/*
 * Private to live*.c: listeners and their subscriptions. One monitor guards everything. Take it before a
 * stream's own lock, and never hold it during a call to a service.
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
    DAYS_TOLD, /* has its days and gets changes */
    DAYS_WANTED,
    DAYS_BEING_READ,
};

struct live_listener {
    struct live *live;
    struct http_stream *stream;
    struct list_node node;
    /* The subscription to a customer's bookings. */
    char *customer_id; /* NULL = none */
    struct live_customer *customer;
    struct list_node of_customer;
    bool has_begin; /* whether booking_seq is valid */
    /* Whether live_replay.c sends its events until it has caught up with the follower. */
    bool behind;
    bool in_round;        /* private to live_replay.c */
    uint64_t budget_key;  /* its key in live->budget for replayed messages */
    uint64_t booking_seq; /* events up to this one are sent or skipped */
    /* The subscription to a hospital's days. */
    struct live_hospital *hospital; /* NULL = none */
    struct list_node of_hospital;
    struct live_window window;
    int32_t fresh_from; /* days from this one on are sent even if unchanged; INT32_MAX = none */
    enum days_state days;
};

/* A customer with listeners. */
struct live_customer {
    uint8_t key[DIGEST_SIZE]; /* digest of the customer's id */
    struct list listeners;
};

/* A day as listeners last saw it. */
struct live_day {
    int32_t date;
    uint32_t capacity, remaining;
    uint64_t version;
};

/* A hospital with listeners. */
struct live_hospital {
    struct uuid id;
    struct list listeners;
    int32_t from, to; /* range that covers the days of all listeners */
    /* The following members are private to live_days.c. */
    struct list_node to_read;         /* its node in live->to_read */
    bool listed;                      /* whether it is in live->to_read */
    int64_t due_ns;                   /* when to read; INT64_MAX = no reading is due */
    int64_t read_ns;                  /* when the last reading began */
    int32_t touched_from, touched_to; /* days that may have changed; none if from > to */
    int64_t again_ns;                 /* when to recheck days that change late; INT64_MAX = never */
    int64_t again_pause_ns;
    int32_t again_from, again_to;
    struct live_day *days; /* as last read, by date */
    size_t day_count, day_capacity;
    char gone[ERROR_REASON_SIZE]; /* the reason why it has no days; "" while it has days */
};

struct live {
    struct event_follower *followers[LIVE_LOGS];
    struct ticker *keeper; /* maintains the streams */
    unsigned looks;        /* private to the keeper */
    struct ticker *replayer;
    struct live_days *days;
    struct rpc_channel *booking_channel;
    struct rpc_client *booking_log;
    size_t listeners_max;
    struct monitor monitor; /* guards the following members; the thread that reads days waits on it */
    bool stopping;
    struct list listeners;
    size_t listener_count;
    struct map customers; /* digest of the id -> struct live_customer */
    struct map hospitals; /* id -> struct live_hospital */
    struct list to_read;  /* hospitals whose days are to be read */
    struct live_budget budget;
    struct live_position position; /* positions of the followers */
    bool known[LIVE_LOGS];         /* whether the followers have begun */
};

/* ---- live_registry.c: the subscriptions of listeners; call with the lock held ---- */

/*
 * Adds a listener to its customer and hospital. When out of memory, adds nothing and returns
 * RESOURCE_EXHAUSTED.
 */
MUST_CHECK enum status live_registry_add(struct live *live, struct live_listener *listener,
                                         const struct live_wish *wish);
void live_registry_remove(struct live *live, struct live_listener *listener);

/* Updates the days that the hospital covers. Call it when the window of one of its listeners has changed. */
void live_registry_measure(struct live_hospital *hospital);

/* Returns the customer, or NULL if it has no listeners. */
struct live_customer *live_registry_customer(const struct live *live, const char *customer_id);
struct live_hospital *live_registry_hospital(const struct live *live, const char *hospital_id);

/* ---- live_send.c: sends messages and advances listeners; call with the lock held ---- */

/*
 * Sends a message. If `data` is NULL, after a failed allocation, ends the stream. The listener then
 * reconnects.
 */
void live_send(struct live_listener *listener, const char *name, const char *data);

/* Sends `first`, then only the listener's position. */
void live_send_position(struct live_listener *listener, const char *first);

/* Sends a booking's event to one of its customer's listeners. `data` comes from live_booking_data. */
void live_send_booking(struct live_listener *listener, const Screening__V1__Event *event, const char *data);

/*
 * Returns whether the event concerns customers. All events do except booking.released, which changes only a
 * day.
 */
bool live_concerns_customers(const Screening__V1__Event *event);

/* Returns the text of a booking's event, which the caller frees. Returns NULL when out of memory. */
char *live_booking_data(const Screening__V1__Event *event);

void live_send_register_metrics(void);

/* ---- live_events.c: events from the logs ---- */

/* The callbacks of the two followers. The context is the struct live. */
void live_booking_begun(void *context, uint64_t head_seq);
void live_booking_take(void *context, Screening__V1__Event *const *events, size_t count);
void live_hospital_begun(void *context, uint64_t head_seq);
void live_hospital_take(void *context, Screening__V1__Event *const *events, size_t count);

/*
 * A listener more than LIVE_REPLAY_MAX events behind is reset, so that it must ask the services instead.
 * LIVE_REPLAY_TOO_LONG is the limit for one that falls behind later.
 */
enum { LIVE_REPLAY_MAX = 1000, LIVE_REPLAY_TOO_LONG = 2000 };

/*
 * Tells a customer's listener to ask the services, and moves it to the follower's position. With the lock
 * held.
 */
void live_reset(struct live_listener *listener);

/*
 * Sets the start of a customer's listener. It is booking_seq, if has_begin is set and the log continues after
 * that event. With the lock held.
 */
void live_place(struct live_listener *listener);

/* ---- live_days.c ---- */

/* Starts the thread that reads days. */
MUST_CHECK enum status live_days_open(struct live *live, struct rpc_channel *channel, struct live_days **out,
                                      struct error *error);
void live_days_close(struct live_days *days);

/*
 * Marks days that may have changed or, with `late`, days that may soon change without another event. With the
 * lock held.
 */
void live_days_touch(struct live *live, struct live_hospital *hospital, int32_t from, int32_t to, bool late);

/* Requests all days of the listener's window for it. With the lock held. */
void live_days_want(struct live *live, struct live_listener *listener);

/* Moves the listener's window to `today`. It may then need more days. With the lock held. */
void live_days_move(struct live *live, struct live_listener *listener, int32_t today);

/* Forgets the days of a hospital that has no listeners left. With the lock held. */
void live_days_forget(struct live_hospital *hospital);

/* ---- live_replay.c ---- */

/* Sends missed events to listeners that are behind. A ticker function; the context is the struct live. */
void live_replay(void *context, struct ticker *ticker);

#endif
