/*
 * The era of a database is a period in which it certainly did not go back (to a backup, or to a standby that
 * lacks its tail).
 *
 * The writer of a service begins an era in the first batch of each database session, and in any batch that
 * finds the database older than this writer's last commit. Nothing has to detect that a database went back,
 * because a restart, a failover and a restore are handled alike. A random id identifies an era. Ids are
 * compared for equality only, never ordered, because a database that went back counts the same numbers again.
 * Within one database, a higher `no` means that another replica has begun a later era.
 *
 * Two services that depend on each other keep the other's era too, in the same row. They agree on both eras
 * (Pair) before either grants what the other relies on.
 */
#ifndef SCREENING_EVENTS_ERA_H
#define SCREENING_EVENTS_ERA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

/* The era columns of the head row, as locked by the batch. */
struct event_era {
    uint64_t no;  /* counts the eras; 0 = no era has begun */
    int64_t id;   /* random, positive */
    int64_t peer; /* id of the other database's era paired with this one; 0 = none */
    bool paired;  /* whether the databases were paired since this era began */
};

/* The position of a writer in its database. */
struct era_place {
    uint64_t session; /* the value of db_session; 0 = none yet */
    struct event_era era;
    uint64_t head_seq;
    struct uuid head_event_id;
    /* The following members are for PostgreSQL only. */
    int64_t commit_no; /* for a service that also counts commits without events, otherwise 0 */
    int64_t table;     /* changes when the table is created again, as a restore does */
};

/*
 * Returns whether the batch must begin an era. `found` is the position that the batch reads, `left` the one
 * that this writer committed last. A higher `no` is the era of another replica, which is as valid as this
 * writer's own.
 */
bool era_must_begin(const struct era_place *left, const struct era_place *found);

/* Begins the next era, unpaired, in the head row. The transaction has locked that row. */
MUST_CHECK enum status era_begin(struct db *db, struct event_era *era, struct error *error);

/* Records the peer era that this database is paired with. The open transaction has locked the head row. */
MUST_CHECK enum status era_pair(struct db *db, struct event_era *era, int64_t peer,
                                const struct uuid *peer_log_id, struct error *error);

/*
 * Forgets the paired peer, so that any other log may take its place. The database then is no longer paired.
 */
MUST_CHECK enum status era_forget_peer(struct db *db, struct error *error);

/* Columns that only a pairing reads. */
struct era_details {
    uint64_t since_seq;      /* the log's head when the first of the unpaired eras began */
    struct uuid peer_log_id; /* zero if never paired, or forgotten */
};
MUST_CHECK enum status era_read_details(struct db *db, struct era_details *out, struct error *error);

#endif
