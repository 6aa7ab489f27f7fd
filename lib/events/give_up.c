/* What a service does when a publisher has a different log, or has lost the end of its log. */
#include "events/cursor.h"
#include "events/dead_letter_store.h"
#include "events/era.h"
#include "events/follower.h"

enum status event_log_forget(struct db *db, const char *log, event_forget_fn forget, struct error *error)
{
    enum status status = event_cursor_forget(db, log, error);
    if (status == STATUS_OK)
        status = dead_letter_forget(db, log, error);
    if (status == STATUS_OK)
        status = era_forget_peer(db, error);
    if (status == STATUS_OK && forget != NULL)
        status = forget(db, error);
    return status;
}

enum status event_log_rewind(struct db *db, const char *log, uint64_t seq, const struct uuid *event_id,
                             struct error *error)
{
    enum status status = dead_letter_forget_after(db, log, seq, error);
    return status == STATUS_OK ? event_cursor_rewind(db, log, seq, event_id, error) : status;
}

enum status event_log_give_up(struct db *db, const char *log, event_forget_fn forget, struct error *error)
{
    enum status status = db_begin(db, error);
    if (status != STATUS_OK)
        return status;
    status = event_log_forget(db, log, forget, error);
    if (status == STATUS_OK)
        return db_commit(db, error);
    db_rollback(db);
    return status;
}
