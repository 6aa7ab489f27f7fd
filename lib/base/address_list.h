/*
 * Lists of addresses separated by commas, such as "tcp://a.example:7102,ipc:///run/screening/b". Pure; any
 * thread.
 */
#ifndef SCREENING_BASE_ADDRESS_LIST_H
#define SCREENING_BASE_ADDRESS_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    ADDRESS_LIST_MAX = 16,
    ADDRESS_HOST_SIZE = 256,
    ADDRESS_TEXT_SIZE = 288,
    ADDRESS_IPC_PATH_MAX_BYTES = 107, /* the longest path that a struct sockaddr_un can hold */
};

/* The kinds of address. A set of them is their sum. */
enum address_scheme {
    ADDRESS_TCP = 1,    /* tcp://HOST:PORT */
    ADDRESS_IPC = 2,    /* ipc://PATH */
    ADDRESS_TLS = 4,    /* tls+tcp://HOST:PORT */
    ADDRESS_INPROC = 8, /* inproc://NAME; for tests */
};

struct listed_address {
    char text[ADDRESS_TEXT_SIZE]; /* as given */
    enum address_scheme scheme;
    uint16_t port;                /* 0 for ipc and inproc */
    bool named;                   /* whether the host is a name, which must be resolved */
    char host[ADDRESS_HOST_SIZE]; /* without brackets; empty for ipc and inproc */
};

struct address_list {
    size_t count;
    struct listed_address items[ADDRESS_LIST_MAX];
};

/*
 * Parses one address of one of the `schemes`. Returns INVALID_ARGUMENT with only the rule as the message
 * ("must be tcp://HOST:PORT (port 1 to 65535) or ipc://PATH").
 */
MUST_CHECK enum status listed_address_parse(const char *text, unsigned schemes, struct listed_address *out,
                                            struct error *error);

/*
 * Parses a list of 1 to ADDRESS_LIST_MAX different addresses of the given `schemes`. If there are several,
 * the message of INVALID_ARGUMENT names the part: "part 2 is empty", "part 2 (tcp://b): must be ...", "part 3
 * (tcp://a:1) is already part 1". Two addresses are the same if scheme, host and port, or the path, are the
 * same.
 */
MUST_CHECK enum status address_list_parse(const char *text, unsigned schemes, struct address_list *out,
                                          struct error *error);

#endif
