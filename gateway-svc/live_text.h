/* The text formats of /events, for requests and messages. Pure; any thread. */
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

/* The size of the longest position, "booking:18446744073709551615,hospital:18446744073709551615". */
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

/* Returns where the parameter with this name is stored, or NULL if the name is unknown. */
const char **live_query_slot(struct live_query *query, const char *name);

/* A range of days, with both ends. It is empty while `to` is before `from`. */
struct live_window {
    int32_t from, to;
    bool from_today; /* whether `from` follows today's date */
    bool to_moves;   /* whether `to` follows, too, so that the length is constant */
};

/*
 * Moves the window to `today`. Returns true if it moved. *fresh is then the first of its new days, which
 * reach to its end.
 */
bool live_window_move(struct live_window *window, int32_t today, int32_t *fresh);

/* The parsed parameters. */
struct live_wish {
    bool has_hospital;
    struct uuid hospital_id;
    struct live_window days; /* the days of the hospital */
    const char *customer_id; /* NULL = no bookings */
};

/*
 * Parses the parameters. Returns INVALID_ARGUMENT "customerId: ..." with the parameter and its rule. `today`
 * replaces a missing `from`.
 */
MUST_CHECK enum status live_wish_parse(const struct live_query *query, int32_t today, struct live_wish *out,
                                       struct error *error);

/*
 * Returns "id: POSITION\nevent: NAME\ndata: DATA\n\n". DATA is one line. `position` is NULL if there is none.
 * The caller frees the result. Returns NULL when out of memory.
 */
char *live_message(const struct live_position *position, const char *name, const char *data);

#endif
