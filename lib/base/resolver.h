/*
 * Resolves the host names in a list of addresses, because nng would use only the first address of a name. A
 * thread asks again every 5 s, and sooner when a connection was lost. An address that is no name stays as
 * given.
 */
#ifndef SCREENING_BASE_RESOLVER_H
#define SCREENING_BASE_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address_list.h"
#include "base/status.h"

enum { RESOLVED_MAX = 64 };

/* An address to dial, and the part of the list that it stands for. */
struct resolved_address {
    char text[ADDRESS_TEXT_SIZE]; /* such as "tcp://10.0.0.7:7102" */
    size_t part;                  /* index in the list */
};

/* The addresses of a list, without duplicates, in order of the list and then of the text. */
struct resolved {
    size_t count;
    struct resolved_address items[RESOLVED_MAX];
    /* Why the latest look-up of the part's name failed; NULL = it did not fail. The text is static. */
    const char *failures[ADDRESS_LIST_MAX];
};

/* Returns whether one of the addresses is `text`. */
bool resolved_contains(const struct resolved *resolved, const char *text);

/*
 * Looks all names up, and blocks meanwhile. On input *io is the result of the previous call, or zero. A name
 * for which the look-up finds nothing keeps its addresses. Addresses beyond RESOLVED_MAX are left out.
 * Returns whether the addresses changed. Any thread.
 */
bool resolve(const struct address_list *list, struct resolved *io);

struct resolver;

/* Receives all addresses. Must not block or call a function of the resolver. */
typedef void (*resolver_changed_fn)(void *context, const struct resolved *now);

struct resolver_options {
    const struct address_list *list; /* copied */
    resolver_changed_fn changed;
    void *context;
    bool now; /* whether resolver_open looks the names up before it returns; it may then block for seconds */
};

/*
 * Calls `changed` when the addresses change. The first call comes before resolver_open returns, with the
 * addresses that are no names and, with `now`, those of the names; there may be none. The following calls
 * come on the resolver's thread. If no address is a name, there is no thread, and *out is
 * NULL. Logs names.unresolved once when a look-up begins to fail, and names.resolved when it works again.
 * Returns RESOURCE_EXHAUSTED on failure.
 */
MUST_CHECK enum status resolver_open(const struct resolver_options *options, struct resolver **out,
                                     struct error *error);

/* Makes the resolver look up soon, because a connection was lost. Any thread. NULL is allowed. */
void resolver_ask(struct resolver *resolver);

/*
 * Waits until `changed` has returned, after which it is not called again. Does not wait for a look-up, which
 * may take many seconds: its thread then ends later. The caller must hold no lock that `changed` takes. NULL
 * is allowed.
 */
void resolver_close(struct resolver *resolver);

#endif
