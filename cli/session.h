/* One run of screenctl: what the global options said, and everything the run holds. One thread only. */
#ifndef SCREENING_CLI_SESSION_H
#define SCREENING_CLI_SESSION_H

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
    const char *name;        /* also the value of --to */
    const char *program;     /* "hospital-svc" */
    const char *option;      /* the global option that names its address */
    const char *environment; /* the variable that does */
    const char *address;     /* the default */
    const char *must_have;   /* what it can't start without, besides an address; "" = nothing */
};

extern const struct peer PEERS[PEER_COUNT];

enum { TIMEOUT_DEFAULT_MS = 5000, TIMEOUT_MAX_MS = 60000 };

struct session {
    const char *addresses[PEER_COUNT];
    const char *time_zone;
    uint32_t timeout_ms; /* the budget of each call, repeats included */
    bool json;
    bool help;                                /* --help was among the command's words */
    struct arena arena;                       /* requests, answers, texts: until the end of the run */
    struct rpc_channel *channels[PEER_COUNT]; /* opened when first needed */
};

/* Defaults and environment. */
void session_init(struct session *session);
void session_fini(struct session *session);

/* The peer that --to and the like name; PEER_COUNT if there is none. */
enum peer_name peer_find(const char *name);

/* Today at the clinic. INVALID_ARGUMENT if the time zone has no zone file. */
MUST_CHECK enum status session_today(const struct session *session, int32_t *day, struct error *error);

#endif
