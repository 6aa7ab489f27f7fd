/*
 * Gives up a log, or sets its cursor back, when the publisher has a different log or has lost the end of its
 * log.
 */
#include "events/cursor.h"
#include "events/dead_letter_store.h"
#include "events/era.h"
#include "events/follower.h"

enum status event_log_forget(struct db *db, const char *log, event_forget_fn forget, struct error *error)
{
    TRY(event_cursor_forget(db, log, error));
    TRY(dead_letter_forget(db, log, error));
    TRY(era_forget_peer(db, error));
    if (forget != NULL)
        return forget(db, error);
    return STATUS_OK;
}

enum status event_log_rewind(struct db *db, const char *log, uint64_t seq, const struct uuid *event_id,
                             struct error *error)
{
    TRY(dead_letter_forget_after(db, log, seq, error));
    return event_cursor_rewind(db, log, seq, event_id, error);
}

enum status event_log_give_up(struct db *db, const char *log, event_forget_fn forget, struct error *error)
{
    TRY(db_begin(db, error));
    enum status status = event_log_forget(db, log, forget, error);
    if (status == STATUS_OK)
        return db_commit(db, error);
    db_rollback(db);
    return status;
}
