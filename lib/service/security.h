/*
 * What a program needs to check its callers and to prove who it is: the issuers of tokens, and the program's
 * own key. The same for every program that calls services.
 */
#ifndef SCREENING_SERVICE_SECURITY_H
#define SCREENING_SERVICE_SECURITY_H

#include <stdbool.h>

#include "auth/caller.h"
#include "base/arena.h"
#include "base/status.h"
#include "rpc/channel.h"
#include "rpc/server.h"
#include "service/config.h"

struct security;

/*
 * Reads the files. `settings` and `program` must outlive *out. Returns INVALID_ARGUMENT "issuers: ..." or
 * "token-key: ..." if a file is missing or wrong, or if there are no issuers and settings->insecure is not
 * set, and RESOURCE_EXHAUSTED when out of memory. Main thread.
 */
MUST_CHECK enum status security_open(const struct security_settings *settings, const char *program,
                                     struct security **out, struct error *error);

/* No other thread may use it any more. NULL is allowed. */
void security_close(struct security *security);

/*
 * Checks that only programs on this machine can reach the address of a listener, tcp://HOST:PORT or
 * ipc://PATH (private_address.h), because TLS is the business of HAProxy in front of it. Returns
 * INVALID_ARGUMENT "SETTING: ..." unless settings->insecure is set. An empty address is no listener.
 */
MUST_CHECK enum status security_check_listener(const struct security *security, const char *setting,
                                               const char *address, struct error *error);

/*
 * Like security_check_listener, for a listener that asks nobody who they are: only ipc:// is allowed, because
 * every user of the machine can connect to a port.
 */
MUST_CHECK enum status security_check_events(const struct security *security, const char *setting,
                                             const char *address, struct error *error);

/* Like security_check_listener, for an address HOST:PORT, or unix:PATH, whose mode keeps others out. */
MUST_CHECK enum status security_check_port(const struct security *security, const char *setting,
                                           const char *host_port, struct error *error);

/*
 * Checks that a database URL gives nothing away (db/url_safety.h): returns INVALID_ARGUMENT "database: ..."
 * if it or PGPASSWORD contains a password, or if it leads to another machine without sslmode=verify-full,
 * unless settings->insecure is set. Any thread.
 */
MUST_CHECK enum status security_check_database(const struct security_settings *settings, const char *url,
                                               struct error *error);

/*
 * Reads files that have changed. If `reload`, reads them in any case, and logs the outcome. Warns once a
 * minute of settings->insecure. Call it about once a second, from one thread.
 */
void security_look_after(struct security *security, bool reload);

/*
 * Checks the addresses that the program calls. Returns INVALID_ARGUMENT, which names the flag `setting`, if
 * one is tcp:// beyond this machine, where tokens would be sent in clear. OK with --insecure.
 */
MUST_CHECK enum status security_check_callee(const struct security *security, const char *setting,
                                             const char *addresses, struct error *error);

/*
 * Checks the addresses of events that the program follows. Events carry names, and no token proves where they
 * come from, so without --insecure each address must be ipc://; otherwise returns INVALID_ARGUMENT, which
 * names the flag `setting`.
 */
MUST_CHECK enum status security_check_followed(const struct security *security, const char *setting,
                                               const char *addresses, struct error *error);

/*
 * Writes up to SECURITY_DEGRADED_MAX reasons why the service is degraded: issuers.json or a file of keys
 * could not be read again (auth_is_stale), or the service's own key (auth_signer_is_stale). Returns their
 * number. Any thread.
 */
enum { SECURITY_DEGRADED_MAX = 2 };
size_t security_degrades(struct security *security,
                         char reasons[SECURITY_DEGRADED_MAX][RPC_DEGRADED_TEXT_SIZE]);

/* Returns the rules for an RPC server, which must be closed before `security`. */
struct rpc_access security_access(struct security *security);

/*
 * Identifies a caller by the value of `authorization`, or NULL if there is none. `source` is as for
 * auth_check. Returns AUTH_TRUSTED in *out if every caller is trusted. Fails like auth_check. Any thread.
 */
MUST_CHECK enum status security_identify(struct security *security, const char *authorization,
                                         struct auth_source source, struct arena *arena,
                                         const struct auth_caller **out, struct error *error);

/*
 * Returns whether the token that identified a caller would still do so (auth_still_counts). True if every
 * caller is trusted. Any thread.
 */
bool security_still_counts(struct security *security, const struct auth_caller *caller);

/* Shows the program's own token to the program `audience`, such as "hospital-svc". */
struct security_peer {
    struct security *security; /* NULL = show no token */
    const char *audience;
};

/* Makes calls on the channel show the token if they are marked own_token. `peer` must outlive the channel. */
void security_introduce(const struct security_peer *peer, struct rpc_channel_options *channel);

#endif
