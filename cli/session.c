#include "session.h"

#include "client.h"
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

const struct web WEBS[WEB_COUNT] = {
    [WEB_GATEWAY] = {"gateway", "gateway-svc", "--gateway-ops", "SCREENING_GATEWAY_OPS", "127.0.0.1:8089",
                     N_("gateway-svc's ops port")},
    [WEB_FRONT] = {"front", "front", "--front-http", "SCREENING_FRONT_HTTP", "127.0.0.1:8080",
                   N_("the front door's HTTP port")},
};

enum peer_name peer_find(const char *name)
{
    int i = 0;
    while (i < PEER_COUNT && strcmp(PEERS[i].name, name) != 0)
        i++;
    return (enum peer_name)i;
}

#define TOKEN_VARIABLE "SCREENING_TOKEN_FILE"

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
    for (int i = 0; i < WEB_COUNT; i++) {
        const char *named = getenv(WEBS[i].environment); /* an empty one means that there is none */
        session->web_named[i] = named != NULL;
        session->webs[i] = named != NULL ? named : WEBS[i].address;
    }
    session->time_zone = environment_or("SCREENING_TIME_ZONE", "Asia/Seoul");
    session->token_path = environment_or(TOKEN_VARIABLE, NULL);
    session->token_named_by = session->token_path != NULL ? TOKEN_VARIABLE : NULL;
    session->tls_ca = environment_or("SCREENING_TLS_CA", NULL);
    session->insecure = strcmp(environment_or("SCREENING_INSECURE", "false"), "true") == 0;
    arena_init(&session->arena);
}

void session_fini(struct session *session)
{
    for (int i = 0; i < PEER_COUNT; i++)
        if (session->channels[i] != NULL)
            rpc_channel_close(session->channels[i]);
    token_file_fini(&session->token_file);
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

/* Returns the path of the token file in the home folder, "" without a home, or NULL when out of memory. */
static const char *home_token(struct arena *arena)
{
    const char *home = environment_or("HOME", NULL);
    return home == NULL ? "" : arena_printf(arena, "%s/.config/screening/token", home);
}

static enum status open_token_file(struct session *session, const char *path, struct error *error)
{
    if (session->token_file.path != NULL)
        return STATUS_OK;
    return token_file_init(&session->token_file, path) ? STATUS_OK : client_no_memory(error);
}

enum status session_authorization(struct session *session, char **out, struct error *error)
{
    bool named = session->token_named_by != NULL;
    const char *path = named ? session->token_path : home_token(&session->arena);
    char why[TOKEN_FILE_WHY_SIZE];
    *out = NULL;
    TRY(path == NULL ? client_no_memory(error) : STATUS_OK);
    if (path[0] == '\0')
        return STATUS_OK;
    TRY(open_token_file(session, path, error));
    switch (token_file_read(&session->token_file, out, why)) {
    case TOKEN_FILE_OK:
        return STATUS_OK;
    case TOKEN_FILE_MEMORY:
        return client_no_memory(error);
    case TOKEN_FILE_ABSENT:
        if (!named)
            return STATUS_OK;
        break;
    case TOKEN_FILE_WRONG:
        break;
    }
    return error_set(error, STATUS_FAILED_PRECONDITION, NULL, "%s%s%s", named ? session->token_named_by : "",
                     named ? " " : "", why);
}
