/* Reads and writes the text formats of /events, for requests and messages. Pure; any thread. */
#ifndef SCREENING_GATEWAY_SVC_LIVE_TEXT_H
#define SCREENING_GATEWAY_SVC_LIVE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

/* The positions in the two logs up to which messages were sent. */
struct live_position {
    uint64_t booking, hospital;
};

/* Room for the longest position, "booking:18446744073709551615,hospital:18446744073709551615". */
enum { LIVE_POSITION_SIZE = 64 };

/* Parses "booking:SEQ,hospital:SEQ". Returns false for any other text. */
bool live_position_parse(const char *text, struct live_position *out);

/* Writes a position. Returns `out`. */
char *live_position_format(const struct live_position *position, char out[LIVE_POSITION_SIZE]);

enum { LIVE_CUSTOMER_MAX = 64, LIVE_DAYS_MAX = 366, LIVE_DAYS_DEFAULT = 31 };

/* The parameters of GET /events. The caller owns the strings. NULL = not given. */
struct live_query {
    const char *hospital_id, *from, *to, *customer_id, *last_event_id;
};

/* Returns a pointer to the member for the parameter `name`, or NULL if the name is unknown. */
const char **live_query_slot(struct live_query *query, const char *name);

/* A range of days, both ends included. It is empty if `to` is before `from`. */
struct live_window {
    int32_t from, to;
    bool from_today; /* whether `from` moves with today's date */
    bool to_moves;   /* whether `to` moves with `from`, so that the length stays constant */
};

/*
 * Moves the window to `today`. Returns whether it moved. If so, sets *fresh to the first of the new days,
 * which extend to the end of the window. If there are no new days, *fresh is after the end.
 */
bool live_window_move(struct live_window *window, int32_t today, int32_t *fresh);

/* The parsed parameters. */
struct live_filter {
    bool has_hospital;
    struct uuid hospital_id;
    struct live_window days; /* the days of the hospital */
    const char *customer_id; /* NULL = no bookings */
};

/*
 * Parses the parameters. Returns INVALID_ARGUMENT "customerId: ..." with the parameter and its rule. `today`
 * replaces a missing `from`. *out refers to the strings of `query`.
 */
MUST_CHECK enum status live_filter_parse(const struct live_query *query, int32_t today,
                                         struct live_filter *out, struct error *error);

/*
 * Returns "id: POSITION\nevent: NAME\ndata: DATA\n\n". DATA is one line. If `position` is NULL, omits the
 * line with the id. The caller frees the result. Returns NULL when out of memory.
 */
char *live_message(const struct live_position *position, const char *name, const char *data);

#endif
