#include "writer/trouble.h"

#include <stddef.h>
#include <string.h>

#include "db/db.h"

#include "screening/v1/words.h"

enum { RETRY_AFTER_MS = 1000, AWAY_RETRY_AFTER_MS = 200 };

const char trouble_of_silence[] = "the database has not answered for 2 s";

static const struct trouble {
    const char *reason;
    const char *line;
} troubles[] = {
    {DB_GONE, "the database file was removed or replaced"},
    {DB_DAMAGED, "the database is damaged: restore a backup"},
    {DB_UNSUITABLE, "the database is not set up as it must be: database.unsuitable in the log says why"},
};

static const struct trouble *find(const struct error *cause)
{
    for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++)
        if (strcmp(troubles[i].reason, cause->reason) == 0)
            return &troubles[i];
    return NULL;
}

const char *trouble_line(const struct error *cause)
{
    const struct trouble *trouble = find(cause);
    return trouble == NULL ? "the database does not answer, or takes no writes" : trouble->line;
}

bool trouble_report(const struct error *cause, struct error *told)
{
    const struct trouble *trouble = find(cause);
    if (trouble == NULL)
        return false;
    error_set(told, STATUS_UNAVAILABLE, trouble->reason, "%s", trouble->line);
    told->retry_after_ms = RETRY_AFTER_MS;
    return true;
}

enum status trouble_refuse(struct error *told)
{
    error_set(told, STATUS_UNAVAILABLE, SCREENING_REASON_NOT_READY,
              "the database is not reachable, so nothing was executed; ask again");
    if (told != NULL)
        told->retry_after_ms = AWAY_RETRY_AFTER_MS;
    return STATUS_UNAVAILABLE;
}
