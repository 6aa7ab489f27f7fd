#include "live_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/text.h"

/* ---- positions ---- */

/* Parses `name` followed by a number, and moves *text past both. Returns false for any other text. */
static bool parse_part(const char **text, const char *name, uint64_t *out)
{
    size_t length = strlen(name);
    if (strncmp(*text, name, length) != 0)
        return false;
    const char *at = *text + length;
    uint64_t seq = 0;
    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (seq > (UINT64_MAX - digit) / 10)
            return false;
        seq = 10 * seq + digit;
    }
    *out = seq;
    *text = at;
    return true;
}

bool live_position_parse(const char *text, struct live_position *out)
{
    struct live_position made;
    if (!parse_part(&text, "booking:", &made.booking) || !parse_part(&text, ",hospital:", &made.hospital) ||
        *text != '\0')
        return false;
    *out = made;
    return true;
}

char *live_position_format(const struct live_position *position, char out[LIVE_POSITION_SIZE])
{
    (void)snprintf(out, LIVE_POSITION_SIZE, "booking:%" PRIu64 ",hospital:%" PRIu64, position->booking,
                   position->hospital);
    return out;
}

/* ---- parameters ---- */

const char **live_query_slot(struct live_query *query, const char *name)
{
    const struct {
        const char *name;
        const char **slot;
    } parameters[] = {
        {"hospitalId", &query->hospital_id},
        {"from", &query->from},
        {"to", &query->to},
        {"customerId", &query->customer_id},
        {"lastEventId", &query->last_event_id},
    };
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return parameters[i].slot;
    return NULL;
}

bool live_window_move(struct live_window *window, int32_t today, int32_t *fresh)
{
    if (!window->from_today || window->from == today)
        return false;
    bool forward = today > window->from && today <= window->to;
    *fresh = forward ? window->to + 1 : today;
    window->from = today;
    if (window->to_moves)
        window->to = today + LIVE_DAYS_DEFAULT - 1;
    return true;
}

static enum status parse_days(const struct live_query *query, int32_t today, struct live_window *out,
                              struct error *error)
{
    struct live_window window = {.from = today,
                                 .from_today = query->from == NULL,
                                 .to_moves = query->from == NULL && query->to == NULL};
    if (query->from != NULL)
        TRY(text_check_date("from", query->from, &window.from, error));
    window.to = window.from + LIVE_DAYS_DEFAULT - 1;
    if (query->to != NULL)
        TRY(text_check_date("to", query->to, &window.to, error));
    if (window.to < window.from)
        return error_invalid(error, "to: must not be before from");
    if (window.to - window.from >= LIVE_DAYS_MAX)
        return error_invalid(error, "to: must be at most %d days after from", LIVE_DAYS_MAX - 1);
    *out = window;
    return STATUS_OK;
}

enum status live_filter_parse(const struct live_query *query, int32_t today, struct live_filter *out,
                              struct error *error)
{
    struct live_filter filter = {.customer_id = query->customer_id,
                                 .has_hospital = query->hospital_id != NULL};
    if (!filter.has_hospital && filter.customer_id == NULL)
        return error_invalid(error, "hospitalId, customerId: one must be given");
    if (!filter.has_hospital && (query->from != NULL || query->to != NULL))
        return error_invalid(error, "%s: requires hospitalId", query->from != NULL ? "from" : "to");
    if (filter.customer_id != NULL)
        TRY(text_check_opaque("customerId", filter.customer_id, 1, LIVE_CUSTOMER_MAX, error));
    if (filter.has_hospital) {
        TRY(text_check_uuid("hospitalId", query->hospital_id, &filter.hospital_id, error));
        TRY(parse_days(query, today, &filter.days, error));
    }
    *out = filter;
    return STATUS_OK;
}

/* ---- messages ---- */

char *live_message(const struct live_position *position, const char *name, const char *data)
{
    static const char FORMAT[] = "%s%s%sevent: %s\ndata: %s\n\n";
    char id[LIVE_POSITION_SIZE] = "";
    if (position != NULL)
        live_position_format(position, id);
    size_t size = sizeof FORMAT + sizeof "id: " + strlen(id) + strlen(name) + strlen(data);
    char *text = malloc(size);
    if (text != NULL)
        (void)snprintf(text, size, FORMAT, position != NULL ? "id: " : "", id, position != NULL ? "\n" : "",
                       name, data);
    return text;
}
