/* What listeners ask for and what they are sent, as text. Pure; any thread. */
#ifndef GATEWAY_SVC_LIVE_TEXT_H
#define GATEWAY_SVC_LIVE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

/* How far each log is covered by what a listener was sent. */
struct live_position {
    uint64_t booking, hospital;
};

/* "booking:18446744073709551615,hospital:18446744073709551615" */
enum { LIVE_POSITION_SIZE = 64 };

/* Reads "booking:SEQ,hospital:SEQ"; false for anything else. */
bool live_position_parse(const char *text, struct live_position *out);

/* Returns `out`. */
char *live_position_format(const struct live_position *position, char out[LIVE_POSITION_SIZE]);

enum { LIVE_CUSTOMER_MAX = 64, LIVE_DAYS_MAX = 366, LIVE_DAYS_DEFAULT = 31 };

/* The parameters of GET /events. The texts are the caller's own; NULL: not given. */
struct live_query {
    const char *hospital_id, *from, *to, *customer_id, *last_event_id;
};

/* Where the parameter of that name goes; NULL if there is none of that name. */
const char **live_query_slot(struct live_query *query, const char *name);

/* Days, both included; none while `to` is before `from`. */
struct live_window {
    int32_t from, to;
    bool from_today; /* it begins with today, whichever day that is, */
    bool to_moves;   /* and always has as many days */
};

/*
 * It is `today` now. True if the window has moved; *fresh is then the first of its days that it did not have
 * before, up to its end.
 */
bool live_window_move(struct live_window *window, int32_t today, int32_t *fresh);

/* The same, understood. */
struct live_wish {
    bool has_hospital;
    struct uuid hospital_id;
    struct live_window days; /* the hospital's */
    const char *customer_id; /* NULL: nobody's bookings */
};

/*
 * INVALID_ARGUMENT "customerId: ..." naming the parameter and the rule. `today` is where a range without a
 * begin begins.
 */
MUST_CHECK enum status live_wish_parse(const struct live_query *query, int32_t today, struct live_wish *out,
                                       struct error *error);

/* "id: POSITION\nevent: NAME\ndata: DATA\n\n"; DATA is one line, `position` NULL where there is none. The
 * caller frees it. NULL when out of memory. */
char *live_message(const struct live_position *position, const char *name, const char *data);

#endif
