/*
 * The era of a database: a stretch of time for which it is certain that it did not go back (no restored
 * backup, no standby that lacks its tail).
 *
 * The writer of a service begins one in the first batch of each of its database sessions, and in a batch that
 * finds the database behind what this writer left. Nobody needs to notice that a database went back: a
 * restart, a failover and a restore are the same. An era is known by a random id; ids are compared, never
 * ordered, because a database that went back counts the same numbers again. Only within one database does
 * `no` tell that another replica has begun a later one.
 *
 * Two services that depend on each other keep the other's era too, in the same row, and agree on both
 * (Pair) before the one grants what the other relies on.
 */
#ifndef SCREENING_EVENTS_ERA_H
#define SCREENING_EVENTS_ERA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

/* What the head row says, as the batch has locked it. */
struct event_era {
    uint64_t no;  /* counts up; 0 = none has begun */
    int64_t id;   /* random, positive */
    int64_t peer; /* id of the other database's era that this one is paired with; 0 = none */
    bool paired;  /* since this era began */
};

/* Where a writer stands in its database. */
struct era_place {
    uint64_t session; /* db_session; 0 = nowhere yet */
    struct event_era era;
    uint64_t head_seq;
    struct uuid head_event_id;
    /* PostgreSQL: */
    int64_t commit_no; /* of a service that counts commits without events too, else 0 */
    int64_t table;     /* another once the table was made again, as a restore does */
};

/*
 * Whether the batch must begin an era: `found` is what it reads, `left` what this writer committed last. A
 * higher `no` is another replica's era, and as good as one's own.
 */
bool era_must_begin(const struct era_place *left, const struct era_place *found);

/* Begins the next era, unpaired, in the head row that the transaction has locked. */
MUST_CHECK enum status era_begin(struct db *db, struct event_era *era, struct error *error);

/* Notes what the database is paired with. The transaction has locked the head row. */
MUST_CHECK enum status era_pair(struct db *db, struct event_era *era, int64_t peer,
                                const struct uuid *peer_log_id, struct error *error);

/* Forgets what the database was paired with: any other may take its place, and it is not paired any more. */
MUST_CHECK enum status era_forget_peer(struct db *db, struct error *error);

/* What only a pairing asks for. */
struct era_details {
    uint64_t since_seq;      /* the log's head when the first era began that is not paired yet */
    struct uuid peer_log_id; /* zero = never paired */
};
MUST_CHECK enum status era_read_details(struct db *db, struct era_details *out, struct error *error);

#endif
