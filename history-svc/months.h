/*
 * The monthly partitions of the timeline. The transaction that inserts a month's first entry also creates the
 * month. The writer remembers existing months across transactions, so the check costs nothing. Writer thread
 * only.
 */
#ifndef SCREENING_HISTORY_SVC_MONTHS_H
#define SCREENING_HISTORY_SVC_MONTHS_H

#include "store.h"

#include <stddef.h>

#include "base/status.h"
#include "db/db.h"

enum { MONTHS_REMEMBERED = 64 };

/* All zero if nothing is remembered. */
struct months {
    struct timeline_month known[MONTHS_REMEMBERED];
    size_t count;
};

/* Creates the months of these entries, except for remembered months. Call it inside the transaction. */
MUST_CHECK enum status months_open(struct months *months, struct db *db, const struct entry_row *entries,
                                   size_t count, struct error *error);

/*
 * Forgets all months. Call it when the remembered months may be wrong, because a transaction failed or the
 * tables were swapped.
 */
void months_forget(struct months *months);

#endif
