/* One run of screenctl, with the values of the global options and all its resources. One thread only. */
#ifndef SCREENING_CLI_SESSION_H
#define SCREENING_CLI_SESSION_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "rpc/channel.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* screenctl's exit codes. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum peer_name { PEER_HOSPITAL, PEER_BOOKING, PEER_HISTORY, PEER_COUNT };

/* A service that screenctl talks to. */
struct peer {
    const char *name;         /* also the value of --to */
    const char *program;      /* "hospital-svc" */
    const char *option;       /* option for its address */
    const char *short_option; /* short form before the command, where it cannot denote an id */
    const char *environment;  /* variable for its address */
    const char *address;      /* default address */
    const char *must_have;    /* settings that the program requires at start, besides an address; "" = none */
};

extern const struct peer PEERS[PEER_COUNT];

/* gateway-svc takes no RPC calls, only HTTP. This is the address of its readiness check. */
#define GATEWAY_PROGRAM     "gateway-svc"
#define GATEWAY_OPTION      "--gateway-ops"
#define GATEWAY_ENVIRONMENT "SCREENING_GATEWAY_OPS"
#define GATEWAY_ADDRESS     "127.0.0.1:8089"

enum { TIMEOUT_DEFAULT_MS = 5000, TIMEOUT_MAX_MS = 60000 };

struct session {
    const char *addresses[PEER_COUNT];
    const char *gateway; /* HOST:PORT; empty = no gateway */
    bool gateway_named;  /* whether an option or the environment gave it, so that it must be running */
    const char *time_zone;
    uint32_t timeout_ms; /* budget per call, including retries */
    bool json;
    protobuf_c_boolean csv; /* whether --csv was given; for lists only */
    bool help;              /* whether --help was given */
    /* Holds requests, responses and texts; lives until the run ends. */
    struct arena arena;
    struct rpc_channel *channels[PEER_COUNT]; /* opened on first use */
};

/* Sets defaults and values from the environment. */
void session_init(struct session *session);
void session_fini(struct session *session);

/* Returns the peer with this name, as --to gives it, or PEER_COUNT if there is none. */
enum peer_name peer_find(const char *name);

/*
 * Activates the clinic's time zone. Returns INVALID_ARGUMENT if the zone has no file. command_read calls it
 * for every command, before threads start.
 */
MUST_CHECK enum status session_use_zone(const struct session *session, struct error *error);

/* Returns today's date at the clinic. Calls session_use_zone and fails like it. */
MUST_CHECK enum status session_today(const struct session *session, int32_t *day, struct error *error);

#endif
