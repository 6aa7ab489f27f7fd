/*
 * Helpers for the tests of lib/events: a publisher with its database, a service that follows it, and calls
 * and messages made by hand.
 */
#ifndef SCREENING_EVENTS_EVENTS_TESTING_H
#define SCREENING_EVENTS_EVENTS_TESTING_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/unit_testing.h"
#include "db/db.h"
#include "events/event_log.h"
#include "events/follower.h"
#include "events/publisher.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "writer/writer.h"

#include "screening/v1/event.pb-c.h"

enum { TEXT_SIZE = 512, SCHEMA_SIZE = 64, PATIENCE_MS = 10000 };

/* ---- the environment of one test ---- */

struct stage {
    enum db_dialect dialect;
    char folder[64];
    char origin_schema[SCHEMA_SIZE]; /* for PostgreSQL only */
    char service_schema[SCHEMA_SIZE];
    char origin_url[TEXT_SIZE];  /* the publisher's database */
    char service_url[TEXT_SIZE]; /* the follower's database */
    char rpc[TEXT_SIZE];
    char events[TEXT_SIZE];
    char by_hand[TEXT_SIZE]; /* the address for pub/sub messages that the test itself sends */
};

/*
 * Setup and teardown for cmocka. If SCREENING_TEST_POSTGRESQL=URL is not set, the state of the PostgreSQL
 * tests is NULL.
 */
int stage_setup_sqlite(void **state);
int stage_setup_postgresql(void **state);
int stage_teardown(void **state);

/* Returns the stage of a test. Skips the test if there is none. */
struct stage *stage_of(void **state);

#define TEST_SQLITE(test)     cmocka_unit_test_setup_teardown(test, stage_setup_sqlite, stage_teardown)
#define TEST_POSTGRESQL(test) cmocka_unit_test_setup_teardown(test, stage_setup_postgresql, stage_teardown)
#define TEST_BOTH(test)       TEST_SQLITE(test), TEST_POSTGRESQL(test)

/* Checks that `status` is `expected`; otherwise fails the test with the error's message. */
void expect(enum status status, enum status expected, const struct error *error);

/* Waits until `condition` holds. Fails the test after PATIENCE_MS. */
void wait_until(bool (*condition)(void *context), void *context, const char *what);

int64_t metric_by_name(const char *name);

/* Returns the single number that a statement without parameters selects. */
int64_t number_of(struct db *db, const struct db_statement *statement);

/* ---- a publisher ---- */

struct origin {
    const struct stage *stage;
    struct db *db;
    struct event_log *log, *silent_log; /* silent_log does not publish */
    struct event_publisher *publisher;
    struct rpc_server *server;
    struct rpc_channel *channel;
    struct rpc_client *client;
};

/*
 * Opens a publisher. Ignores the topic and the address in `options`. If `options` is NULL, heartbeats are so
 * rare that none is sent during a test.
 */
void origin_open(struct origin *origin, const struct stage *stage,
                 const struct event_publisher_options *options);
/* Like origin_open, but does not start the publisher's thread. */
void origin_open_unstarted(struct origin *origin, const struct stage *stage,
                           const struct event_publisher_options *options);
void origin_close(struct origin *origin);

/* Appends and commits `count` events of type `type` in one batch. Publishes them if `publish` is true. */
void origin_commit(struct origin *origin, const char *type, size_t count, bool publish);

/* Reverts the database to the event at `seq`, as a restore does, and begins another era. */
void origin_go_back(struct origin *origin, uint64_t seq);

/* Begins another era without losing events, as each start of a service does. */
void origin_begin_era(struct origin *origin);

/* Returns the era of the publisher's database. */
int64_t origin_era(struct origin *origin);

/* Returns the id of the event at `seq`, read from the database. */
char *origin_event_id(struct origin *origin, uint64_t seq, char out[UUID_TEXT_SIZE]);

/* Sends a Fetch and waits for the response, which is allocated in `arena`. */
enum status origin_fetch(struct origin *origin, const Screening__V1__FetchRequest *request,
                         uint32_t timeout_ms, struct arena *arena, Screening__V1__FetchResponse **response,
                         struct error *error);

/*
 * Builds the pub/sub message of `count` events from `first` on, as if one commit had appended them. If
 * `count` is 0, builds a heartbeat at `first`.
 */
nng_msg *origin_message(struct origin *origin, uint64_t first, size_t count);

/* ---- a service that follows ---- */

struct service {
    const struct stage *stage;
    struct writer *writer;
    struct db *db; /* for checking the results */
    /* The next `failures` batches fail with the status `failure` after writing everything. */
    atomic_int failures;
    _Atomic(enum status) failure;
    /* Events of this type always fail. NULL = none. */
    _Atomic(const char *) poison;
    atomic_int chunks; /* number of chunks submitted, including failed ones */
};

/* Opens another connection that writes to the service's database. For a SQLite file, removes the lock file
 * first. */
struct db *stage_open_beside(const struct stage *stage);

void service_open(struct service *service, const struct stage *stage);
void service_close(struct service *service);

/* Return how many times events were applied: in total, and for the event applied most often. */
int64_t service_applied(struct service *service);
int64_t service_applied_most(struct service *service);

/*
 * Waits until `count` different events have been applied. Fails the test if any was applied more than once.
 */
void service_wait_applied(struct service *service, int64_t count);

#endif
