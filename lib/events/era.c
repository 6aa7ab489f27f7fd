#include "events/era.h"

#include "base/check.h"
#include "base/random.h"

/*
 * If the previous era was not paired, the new era keeps its since_seq, which is the head at the start of the
 * first unpaired era. Events after since_seq may have been lost.
 */
static const struct db_statement BEGIN_ERA = {
    .name = "event_era_begin",
    .sql = "UPDATE event_log_head SET since_seq = CASE WHEN paired = 1 THEN head_seq ELSE since_seq END, "
           "era_no = $1, era = $2, paired = 0",
};

static const struct db_statement PAIR_ERA = {
    .name = "event_era_pair",
    .sql = "UPDATE event_log_head SET paired = 1, peer_era = $1, peer_log_id = $2",
};

static const struct db_statement FORGET_PEER = {
    .name = "event_era_forget_peer",
    .sql = "UPDATE event_log_head SET peer_era = 0, peer_log_id = $1, "
           "since_seq = CASE WHEN paired = 1 THEN head_seq ELSE since_seq END, paired = 0",
};

static const struct db_statement READ_DETAILS = {
    .name = "event_era_details",
    .sql = "SELECT since_seq, peer_log_id FROM event_log_head",
};

bool era_must_begin(const struct era_place *left, const struct era_place *found)
{
    if (found->session != left->session || found->table != left->table)
        return true;
    if (found->era.no < left->era.no || (found->era.no == left->era.no && found->era.id != left->era.id))
        return true;
    if (found->head_seq < left->head_seq || found->commit_no < left->commit_no)
        return true;
    return found->head_seq == left->head_seq && !uuid_equal(&found->head_event_id, &left->head_event_id);
}

static int64_t random_id(void)
{
    int64_t id = 0;
    while (id == 0) {
        random_fill(&id, sizeof id);
        id &= INT64_MAX;
    }
    return id;
}

static enum status run(struct db *db, const struct db_statement *statement, const struct db_params *params,
                       struct error *error)
{
    db_restamp(db); /* event_log caches the row */
    return db_run(db, statement, params, NULL, NULL, error);
}

enum status era_begin(struct db *db, struct event_era *era, struct error *error)
{
    if (era->no >= INT64_MAX)
        return error_set(error, STATUS_INTERNAL, NULL,
                         "the number of the era in the database is out of range");
    struct event_era begun = {.no = era->no + 1, .id = random_id(), .peer = era->peer};
    CHECK(begun.id > 0 && begun.no > 0);
    TRY(run(db, &BEGIN_ERA, DB_ROW(db_int((int64_t)begun.no), db_int(begun.id)), error));
    *era = begun;
    return STATUS_OK;
}

enum status era_pair(struct db *db, struct event_era *era, int64_t peer, const struct uuid *peer_log_id,
                     struct error *error)
{
    TRY(run(db, &PAIR_ERA, DB_ROW(db_int(peer), db_uuid(peer_log_id)), error));
    era->paired = true;
    era->peer = peer;
    return STATUS_OK;
}

enum status era_forget_peer(struct db *db, struct error *error)
{
    const struct uuid none = {{0}};
    return run(db, &FORGET_PEER, DB_ROW(db_uuid(&none)), error);
}

static enum status take_details(void *context, const struct db_row *row)
{
    struct era_details *out = context;
    out->since_seq = db_row_unsigned(row, 0);
    out->peer_log_id = db_row_uuid(row, 1);
    return STATUS_OK;
}

enum status era_read_details(struct db *db, struct era_details *out, struct error *error)
{
    return db_run(db, &READ_DETAILS, NULL, take_details, out, error);
}
