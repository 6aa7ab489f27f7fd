#include "mix.h"

#include <string.h>

enum { MANY_DAYS = 1000, FEW_PLACES = 100, RUSH_CALLERS = 50000 };

static const struct request *book(struct turn *turn)
{
    turn->booking_id = uuid_v7();
    return &REQUEST_BOOK;
}

static const struct request *book_for_one(struct turn *turn)
{
    turn->booking_id = uuid_v7();
    return &REQUEST_BOOK_FOR_ONE;
}

static const struct request *cancel_what_was_confirmed(struct turn *turn, const struct tally_answer *answer)
{
    (void)turn;
    return answer->confirmed ? &REQUEST_CANCEL : NULL;
}

/*
 * Chooses one booking and nine reads for every ten turns, always in the same order. Books as long as there is
 * no booking to read.
 */
static const struct request *read_or_book(struct turn *turn)
{
    static const struct request *const ORDER[] = {
        &REQUEST_BOOK, &REQUEST_GET,          &REQUEST_AVAILABILITY, &REQUEST_LIST, &REQUEST_GET,
        &REQUEST_GET,  &REQUEST_AVAILABILITY, &REQUEST_LIST,         &REQUEST_GET,  &REQUEST_AVAILABILITY,
    };
    const struct request *request = ORDER[turn->number % (sizeof ORDER / sizeof ORDER[0])];
    if (request == &REQUEST_BOOK || !recent_pick(turn->recent, turn->number, &turn->booking_id))
        return book(turn);
    return request;
}

static const struct request *remember_what_was_confirmed(struct turn *turn, const struct tally_answer *answer)
{
    if (answer->confirmed)
        recent_add(turn->recent, &turn->booking_id);
    return NULL;
}

const struct mix MIXES[] = {
    {
        .name = "book",
        .help = "bookings of one hot day; when its places are asked for, of the next",
        .turn_name = "booking",
        .days_at_once = 1,
        .places = STAGE_PLACES_MAX,
        .goes_on = true,
        .first = book,
    },
    {
        .name = "one-customer",
        .help = "the same, all of one customer: without what finding each one's bookings costs",
        .turn_name = "booking",
        .days_at_once = 1,
        .places = STAGE_PLACES_MAX,
        .goes_on = true,
        .first = book_for_one,
    },
    {
        .name = "book-cancel",
        .help = "as book, and each confirmed booking is cancelled at once by its caller",
        .turn_name = "booking",
        .days_at_once = 1,
        .places = STAGE_PLACES_MAX,
        .goes_on = true,
        .first = book,
        .next = cancel_what_was_confirmed,
    },
    {
        .name = "read",
        .help = "of ten calls one books, four GetBooking, three GetAvailability, two ListBookings",
        .turn_name = "call",
        .days_at_once = 1,
        .places = STAGE_PLACES_MAX,
        .goes_on = true,
        .first = read_or_book,
        .next = remember_what_was_confirmed,
    },
    {
        .name = "sold-out",
        .help = "50000 callers for 100 places: exactly those are sold",
        .turn_name = "caller",
        .days_at_once = 1,
        .places = FEW_PLACES,
        .count = RUSH_CALLERS,
        .must_sell_out = true,
        .first = book,
    },
    {
        .name = "many-days",
        .help = "bookings of 1000 days in turn",
        .turn_name = "booking",
        .days_at_once = MANY_DAYS,
        .places = STAGE_PLACES_MAX,
        .first = book,
    },
    {.name = NULL},
};

const struct mix *mix_find(const char *name)
{
    for (const struct mix *mix = MIXES; mix->name != NULL; mix++)
        if (strcmp(mix->name, name) == 0)
            return mix;
    return NULL;
}
