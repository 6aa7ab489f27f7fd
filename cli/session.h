/* One run of screenctl: what the global options said, and everything the run holds. One thread only. */
#ifndef SCREENING_CLI_SESSION_H
#define SCREENING_CLI_SESSION_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "rpc/channel.h"

/* What screenctl ends with. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum peer_name { PEER_HOSPITAL, PEER_BOOKING, PEER_HISTORY, PEER_COUNT };

/* A service that screenctl talks to. */
struct peer {
    const char *name;         /* also the value of --to */
    const char *program;      /* "hospital-svc" */
    const char *option;       /* the option that names its address */
    const char *short_option; /* the same before the command, where no id can be meant */
    const char *environment;  /* the variable that does */
    const char *address;      /* the default */
    const char *must_have;    /* what it can't start without, besides an address; "" = nothing */
};

extern const struct peer PEERS[PEER_COUNT];

/* gateway-svc answers no calls, only HTTP: where it says whether it is ready. */
#define GATEWAY_PROGRAM     "gateway-svc"
#define GATEWAY_OPTION      "--gateway-ops"
#define GATEWAY_ENVIRONMENT "SCREENING_GATEWAY_OPS"
#define GATEWAY_ADDRESS     "127.0.0.1:8089"

enum { TIMEOUT_DEFAULT_MS = 5000, TIMEOUT_MAX_MS = 60000 };

struct session {
    const char *addresses[PEER_COUNT];
    const char *gateway; /* HOST:PORT; empty = there is none */
    bool gateway_named;  /* by the option or the environment: it is expected to be there */
    const char *time_zone;
    uint32_t timeout_ms; /* the budget of each call, repeats included */
    bool json;
    protobuf_c_boolean csv;                   /* --csv was among the command's words: lists only */
    bool help;                                /* --help was among the command's words */
    struct arena arena;                       /* requests, answers, texts: until the end of the run */
    struct rpc_channel *channels[PEER_COUNT]; /* opened when first needed */
};

/* Defaults and environment. */
void session_init(struct session *session);
void session_fini(struct session *session);

/* The peer that --to and the like name; PEER_COUNT if there is none. */
enum peer_name peer_find(const char *name);

/*
 * Puts the clinic's time zone in force. INVALID_ARGUMENT if it has no zone file. command_read does it for
 * every command, before threads start.
 */
MUST_CHECK enum status session_use_zone(const struct session *session, struct error *error);

/* Today at the clinic. As session_use_zone, whose work it does as well. */
MUST_CHECK enum status session_today(const struct session *session, int32_t *day, struct error *error);

#endif
