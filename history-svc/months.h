/*
 * Manages the monthly partitions of the timeline. The transaction that inserts a month's first entry also
 * creates the month. The writer remembers existing months across transactions, so it rarely queries the
 * database for them. Writer thread only.
 */
#ifndef SCREENING_HISTORY_SVC_MONTHS_H
#define SCREENING_HISTORY_SVC_MONTHS_H

#include "store.h"

#include <stddef.h>

#include "base/status.h"
#include "db/db.h"

enum { MONTHS_REMEMBERED = 64 };

/* The remembered months. Initialise the struct with zeros. */
struct months {
    struct timeline_month known[MONTHS_REMEMBERED];
    size_t count;
};

/*
 * Creates the months of the entries, except those already remembered. Call months_open inside the
 * transaction.
 */
MUST_CHECK enum status months_open(struct months *months, struct db *db, const struct entry_row *entries,
                                   size_t count, struct error *error);

/*
 * Forgets all months. Call months_forget if the remembered months may be wrong, because a transaction failed
 * or the tables were swapped.
 */
void months_forget(struct months *months);

#endif
