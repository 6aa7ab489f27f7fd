/*
 * TLS of the client's connections, by OpenSSL: 1.2 or 1.3, with a check of the server's certificate and of
 * the name in it. Keeps no state outside its objects and raises no SIGPIPE.
 */
#ifndef SCREENING_CLIENT_TLS_H
#define SCREENING_CLIENT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls; /* what all connections of a client share; any thread */

struct tls_stream; /* one connection; one thread at a time */

enum tls_open_result { TLS_OPENED, TLS_FILE, TLS_MEMORY };

/*
 * Reads the certificates of the trusted authorities from a PEM file. If the result is TLS_FILE, the file
 * cannot be read or has none. The caller destroys *out after its last connection.
 */
enum tls_open_result tls_open(const char *ca_file, struct tls **out);

/* NULL is allowed. */
void tls_destroy(struct tls *tls);

/* Prepares a connection to `host`, a name or an IP address, over the socket. Returns NULL when out of memory.
 */
struct tls_stream *tls_stream_create(struct tls *tls, int fd, const char *host);

/* Does not close the socket. NULL is allowed. */
void tls_stream_destroy(struct tls_stream *stream);

enum tls_result {
    TLS_DONE,
    TLS_WANTS_READ,  /* call again when the socket is readable */
    TLS_WANTS_WRITE, /* call again when the socket is writable */
    TLS_CLOSED,      /* closed or reset; errno has the cause, 0 = the peer closed the connection */
    TLS_UNTRUSTED,   /* the server's certificate was not accepted; tls_stream_distrust says why */
    TLS_WRONG        /* the peer does not speak TLS as it should */
};

/* Makes the next steps of the handshake. */
enum tls_result tls_stream_handshake(struct tls_stream *stream);

/* Sends or receives at least one byte if the result is TLS_DONE, and sets *done to their number. */
enum tls_result tls_stream_write(struct tls_stream *stream, const uint8_t *data, size_t size, size_t *done);
enum tls_result tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t size, size_t *done);

/* Returns whether bytes have been received that nobody has read yet. */
bool tls_stream_has_pending(struct tls_stream *stream);

/* Returns why the certificate was not accepted. The text is static. */
const char *tls_stream_distrust(const struct tls_stream *stream);

#endif
