/*
 * An era of a database is a period in which it is known not to have reverted to an earlier state (a backup,
 * or a standby that lacks the last commits).
 *
 * The writer of a service begins an era in the first batch of each database session, and in any batch that
 * finds the database older than this writer's last commit. It is not necessary to detect that a database has
 * reverted, because a restart, a failover and a restore are all handled in the same way. Each era has a
 * random id, because a database that has reverted would reuse numbers. Ids are compared only for equality.
 * Within one database, a higher `no` means that another replica has begun a later era.
 *
 * Two services that depend on each other also store each other's era in their head rows. They agree on both
 * eras (Pair) before either service does anything on which the other relies.
 */
#ifndef SCREENING_EVENTS_ERA_H
#define SCREENING_EVENTS_ERA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "db/db.h"

/* The era columns of the head row, as read when the batch locked the row. */
struct event_era {
    uint64_t no;  /* the number of the era, from 1; 0 = no era has begun */
    int64_t id;   /* random, positive */
    int64_t peer; /* id of the other database's era that is paired with this one; 0 = none */
    bool paired;  /* whether the databases have been paired since this era began */
};

/* The position of a writer in its database. */
struct era_place {
    uint64_t session; /* the value of db_session; 0 = none yet */
    struct event_era era;
    uint64_t head_seq;
    struct uuid head_event_id;
    /* The following members are used for PostgreSQL only. */
    int64_t commit_no; /* for a service that also counts commits without events, otherwise 0 */
    int64_t table;     /* changes if the table is recreated, for example by a restore */
};

/*
 * Returns whether the batch must begin an era. `found` is the position that the batch has read, `left` the
 * position that this writer committed last. A higher `no` does not require a new era, because the era of
 * another replica is as valid as this writer's own.
 */
bool era_must_begin(const struct era_place *left, const struct era_place *found);

/*
 * Begins the next era, which is unpaired, and stores it in the head row. The transaction must hold the row's
 * lock.
 */
MUST_CHECK enum status era_begin(struct db *db, struct event_era *era, struct error *error);

/*
 * Records that this database is paired with the era `peer` of the peer's database, and with the log
 * `peer_log_id`. The transaction must hold the head row's lock.
 */
MUST_CHECK enum status era_pair(struct db *db, struct event_era *era, int64_t peer,
                                const struct uuid *peer_log_id, struct error *error);

/* Forgets the paired peer, so that the database is no longer paired and may be paired with any log. */
MUST_CHECK enum status era_forget_peer(struct db *db, struct error *error);

/* Columns that are read only for a pairing. */
struct era_details {
    uint64_t since_seq;      /* the log's head at the start of the first unpaired era */
    struct uuid peer_log_id; /* zero if never paired, or if the peer was forgotten */
};
MUST_CHECK enum status era_read_details(struct db *db, struct era_details *out, struct error *error);

#endif
