#include "session.h"

#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"

const struct peer PEERS[PEER_COUNT] = {
    [PEER_HOSPITAL] = {"hospital", "hospital-svc", "--hospital-addr", "--hospital", "SCREENING_HOSPITAL_ADDR",
                       "tcp://127.0.0.1:7101", ""},
    [PEER_BOOKING] = {"booking", "booking-svc", "--booking-addr", "--booking", "SCREENING_BOOKING_ADDR",
                      "tcp://127.0.0.1:7201", ""},
    [PEER_HISTORY] = {"history", "history-svc", "--history-addr", "--history", "SCREENING_HISTORY_ADDR",
                      "tcp://127.0.0.1:7301", " --database postgresql://HOST/DATABASE"},
};

enum peer_name peer_find(const char *name)
{
    int i = 0;
    while (i < PEER_COUNT && strcmp(PEERS[i].name, name) != 0)
        i++;
    return (enum peer_name)i;
}

static const char *environment_or(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? fallback : value;
}

void session_init(struct session *session)
{
    *session = (struct session){.timeout_ms = TIMEOUT_DEFAULT_MS};
    for (int i = 0; i < PEER_COUNT; i++)
        session->addresses[i] = environment_or(PEERS[i].environment, PEERS[i].address);
    session->gateway = getenv(GATEWAY_ENVIRONMENT);
    session->gateway_named = session->gateway != NULL;
    session->gateway = session->gateway_named ? session->gateway : GATEWAY_ADDRESS;
    session->time_zone = environment_or("SCREENING_TIME_ZONE", "Asia/Seoul");
    arena_init(&session->arena);
}

void session_fini(struct session *session)
{
    for (int i = 0; i < PEER_COUNT; i++)
        if (session->channels[i] != NULL)
            rpc_channel_close(session->channels[i]);
    arena_fini(&session->arena);
}

enum status session_use_zone(const struct session *session, struct error *error)
{
    if (civil_zone_set(session->time_zone, error) != STATUS_OK)
        return error_invalid(error, _("--time-zone %s: there is no such zone"), session->time_zone);
    return STATUS_OK;
}

enum status session_today(const struct session *session, int32_t *day, struct error *error)
{
    TRY(session_use_zone(session, error));
    *day = civil_day_at(clock_now_us());
    return STATUS_OK;
}
