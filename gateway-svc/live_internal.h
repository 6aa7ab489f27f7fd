/*
 * Private to live*.c: listeners, and what they listen to. One monitor guards all of it; it is taken before a
 * stream's own lock and never held during a call to a service.
 */
#ifndef GATEWAY_SVC_LIVE_INTERNAL_H
#define GATEWAY_SVC_LIVE_INTERNAL_H

#include "live.h"
#include "live_budget.h"
#include "live_feed.h"
#include "live_text.h"

#include "base/digest.h"
#include "base/map.h"
#include "base/ticker.h"
#include "events/monitor.h"

enum live_log { LIVE_BOOKING, LIVE_HOSPITAL, LIVE_LOGS };

enum days_state {
    DAYS_TOLD, /* it hears of changes */
    DAYS_WANTED,
    DAYS_BEING_READ,
};

struct live_listener {
    struct live *live;
    struct http_stream *stream;
    struct live_listener *next, *previous;
    /* a customer's bookings */
    char *customer_id; /* NULL: nobody's */
    struct live_customer *customer;
    struct live_listener *next_of_customer;
    bool has_begin;       /* booking_seq is known */
    bool behind;          /* what follows comes from live_replay.c, until it is where the feed is */
    bool in_round;        /* that's own */
    uint64_t budget_key;  /* of what it is sent from there */
    uint64_t booking_seq; /* sent, or passed over, up to here */
    /* a hospital's days */
    struct live_hospital *hospital; /* NULL: none */
    struct live_listener *next_of_hospital;
    struct live_window window;
    int32_t fresh_from; /* from this day on it is told, changed or not; INT32_MAX: from none */
    enum days_state days;
};

/* Whose bookings somebody listens to. */
struct live_customer {
    uint8_t key[DIGEST_SIZE]; /* of the id */
    struct live_listener *listeners;
};

/* A day as listeners were told it is. */
struct live_day {
    int32_t date;
    uint32_t capacity, remaining;
    uint64_t version;
};

/* Whose days somebody listens to. */
struct live_hospital {
    struct uuid id;
    struct live_listener *listeners;
    int32_t from, to; /* all the days that somebody listens to lie in here */
    /* the rest is live_days.c's */
    struct live_hospital *next, *previous; /* in live->to_read */
    bool listed;                           /* there */
    int64_t due_ns;                        /* when to read; INT64_MAX: not yet known to be needed */
    int64_t read_ns;                       /* when the last reading began */
    int32_t touched_from, touched_to;      /* what may have changed; from > to: nothing */
    int64_t again_ns;                      /* when to look again at what changes late; INT64_MAX: never */
    int64_t again_pause_ns;
    int32_t again_from, again_to;
    struct live_day *days; /* as last read, by date */
    size_t day_count, day_capacity;
    char gone[ERROR_REASON_SIZE]; /* why it has no days; "" while it has */
};

struct live {
    struct live_feed *feeds[LIVE_LOGS];
    struct ticker *keeper; /* looks after connections */
    unsigned looks;        /* the keeper's own */
    struct ticker *replayer;
    struct live_days *days;
    struct rpc_channel *booking_channel;
    struct rpc_client *booking_log;
    size_t listeners_max;
    struct monitor monitor; /* guards what follows; the reader of days waits on it */
    bool stopping;
    struct live_listener *listeners;
    size_t listener_count;
    struct map customers; /* digest of the id -> struct live_customer */
    struct map hospitals; /* id -> struct live_hospital */
    struct live_hospital *to_read;
    struct live_budget budget;
    struct live_position position; /* how far the feeds are */
    bool known[LIVE_LOGS];         /* whether they have begun */
};

/* ---- live_registry.c: who listens to what. With the lock ---- */

/* RESOURCE_EXHAUSTED when out of memory: then nothing was added. */
MUST_CHECK enum status live_registry_add(struct live *live, struct live_listener *listener,
                                         const struct live_wish *wish);
void live_registry_remove(struct live *live, struct live_listener *listener);

/* The window of one of its listeners has changed. */
void live_registry_measure(struct live_hospital *hospital);

/* NULL if nobody listens. */
struct live_customer *live_registry_customer(const struct live *live, const char *customer_id);
struct live_hospital *live_registry_hospital(const struct live *live, const char *hospital_id);

/* ---- live_send.c: what is sent, and where the listener then stands. With the lock ---- */

/* Sends a message. `data` NULL, for want of memory, ends the stream: the listener comes back and asks anew.
 */
void live_send(struct live_listener *listener, const char *name, const char *data);

/* Sends where it stands alone, and `first` before. */
void live_send_position(struct live_listener *listener, const char *first);

/* A booking's event to one of its customer's listeners. `data` as live_booking_data makes it. */
void live_send_booking(struct live_listener *listener, const Screening__V1__Event *event, const char *data);

/* Whether customers are told of the event: of every booking event but booking.released, which changes a day
 * and no booking. */
bool live_concerns_customers(const Screening__V1__Event *event);

/* NULL when out of memory; the caller frees it. */
char *live_booking_data(const Screening__V1__Event *event);

void live_send_register_metrics(void);

/* ---- live_events.c: what the logs tell ---- */

/* The functions of the two feeds; the context is the struct live. */
void live_booking_begun(void *context, uint64_t head_seq);
void live_booking_take(void *context, Screening__V1__Event *const *events, size_t count);
void live_hospital_begun(void *context, uint64_t head_seq);
void live_hospital_take(void *context, Screening__V1__Event *const *events, size_t count);

/* A listener that is further behind than this asks the services instead; TOO_LONG: that fell behind later. */
enum { LIVE_REPLAY_MAX = 1000, LIVE_REPLAY_TOO_LONG = 2000 };

/* Tells a customer's listener to ask the services: it goes on from where the feed is. With the lock. */
void live_reset(struct live_listener *listener);

/* Where a customer's listener begins; at has_begin and booking_seq if the log goes on behind them. With the
 * lock. */
void live_place(struct live_listener *listener);

/* ---- live_days.c ---- */

/* Starts the thread that reads days. */
MUST_CHECK enum status live_days_open(struct live *live, struct rpc_channel *channel, struct live_days **out,
                                      struct error *error);
void live_days_close(struct live_days *days);

/* These days may have changed; `late`: or will soon, without another event. With the lock. */
void live_days_touch(struct live *live, struct live_hospital *hospital, int32_t from, int32_t to, bool late);

/* The listener is to be told all of its days. With the lock. */
void live_days_want(struct live *live, struct live_listener *listener);

/* It is `today` now: moves the listener's window, which may want it to be told more days. With the lock. */
void live_days_move(struct live *live, struct live_listener *listener, int32_t today);

/* Nobody listens to it any more. With the lock. */
void live_days_forget(struct live *live, struct live_hospital *hospital);

/* ---- live_replay.c ---- */

/* A ticker's function; the context is the struct live. Sends those who are behind what they missed. */
void live_replay(void *context, struct ticker *ticker);

#endif
