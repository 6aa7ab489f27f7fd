/* One run of screenctl, with the values of the global options and all its resources. One thread only. */
#ifndef SCREENING_CLI_SESSION_H
#define SCREENING_CLI_SESSION_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "client/token_file.h"
#include "rpc/channel.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* screenctl's exit codes. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum peer_name { PEER_HOSPITAL, PEER_BOOKING, PEER_HISTORY, PEER_COUNT };

/* A service that screenctl calls. */
struct peer {
    const char *name;         /* "hospital", as in --to hospital */
    const char *program;      /* "hospital-svc" */
    const char *option;       /* the option that sets its address */
    const char *short_option; /* short form, valid only before the command, where it cannot be an id */
    const char *environment;  /* the environment variable that sets its address */
    const char *address;      /* default address */
    const char *must_have;    /* settings, other than an address, that the program requires; "" = none */
};

extern const struct peer PEERS[PEER_COUNT];

enum web_name { WEB_GATEWAY, WEB_FRONT, WEB_COUNT };

/* A program that is not a peer, because it accepts only HTTP. Only its health is queried. */
struct web {
    const char *name;        /* "gateway", as in health gateway */
    const char *program;     /* "gateway-svc" */
    const char *option;      /* the option that sets the address */
    const char *environment; /* the environment variable that sets it */
    const char *address;     /* its default, HOST:PORT */
    const char *meaning;     /* what listens there, for --help */
};

extern const struct web WEBS[WEB_COUNT];

enum { TIMEOUT_DEFAULT_MS = 5000, TIMEOUT_MAX_MS = 60000 };

struct session {
    const char *addresses[PEER_COUNT];
    const char *webs[WEB_COUNT]; /* HOST:PORT; empty = there is none */
    bool web_named[WEB_COUNT];   /* whether an option or the environment names it; it must then be running */
    const char *time_zone;
    /*
     * The file with the token for calls, "" = none, and who names it: an option or an environment variable.
     * If it is NULL, nobody does, and the file in the home folder may be absent.
     */
    const char *token_path, *token_named_by;
    const char *tls_ca;  /* the authorities that TLS relies on, a file in PEM; NULL = none */
    bool tls_ca_given;   /* whether an option names it, and not only the environment */
    bool insecure;       /* whether tcp addresses may be beyond this machine */
    uint32_t timeout_ms; /* budget per call, including retries */
    bool json;
    protobuf_c_boolean csv; /* whether --csv was given; affects lists only */
    bool help;              /* whether --help was given */
    /* Holds requests, responses and texts until the run ends or the command resets it. */
    struct arena arena;
    struct rpc_channel *channels[PEER_COUNT]; /* opened on first use */
    struct token_file token_file;             /* likewise */
};

/* Sets defaults and values from the environment. */
void session_init(struct session *session);
void session_fini(struct session *session);

/* Returns the peer called `name`, or PEER_COUNT if there is none. */
enum peer_name peer_find(const char *name);

/*
 * Activates the clinic's time zone. Returns INVALID_ARGUMENT if the zone has no file. command_read calls it
 * for every command, before threads start.
 */
MUST_CHECK enum status session_use_zone(const struct session *session, struct error *error);

/*
 * Sets *out to the text for the header `authorization`, or to NULL if no token file is named and there is
 * none in the home folder. Reads the file again when it has changed. Returns FAILED_PRECONDITION if the file
 * cannot be used. The caller frees *out with token_file_free.
 */
MUST_CHECK enum status session_authorization(struct session *session, char **out, struct error *error);

/* Sets *day to today's date at the clinic. Calls session_use_zone and fails like it. */
MUST_CHECK enum status session_today(const struct session *session, int32_t *day, struct error *error);

#endif
