#include "client/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

struct tls {
    SSL_CTX *context;
    BIO_METHOD *method;
};

struct tls_stream {
    SSL *ssl;
    int fd;
};

/* ---- the socket, with calls that raise no SIGPIPE, as those of OpenSSL would ---- */

static int note_result(BIO *bio, ssize_t result, void (*retry)(BIO *bio))
{
    BIO_clear_retry_flags(bio);
    if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        retry(bio);
    return (int)result;
}

static void retry_read(BIO *bio)
{
    BIO_set_retry_read(bio);
}

static void retry_write(BIO *bio)
{
    BIO_set_retry_write(bio);
}

static int socket_read(BIO *bio, char *data, int size)
{
    const struct tls_stream *stream = BIO_get_data(bio);
    return note_result(bio, recv(stream->fd, data, (size_t)size, MSG_DONTWAIT), retry_read);
}

static int socket_write(BIO *bio, const char *data, int size)
{
    const struct tls_stream *stream = BIO_get_data(bio);
    return note_result(bio, send(stream->fd, data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL), retry_write);
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "screening");
    if (method != NULL) {
        (void)BIO_meth_set_read(method, socket_read);
        (void)BIO_meth_set_write(method, socket_write);
        (void)BIO_meth_set_ctrl(method, socket_control);
    }
    return method;
}

/* ---- shared by the connections ---- */

enum tls_open_result tls_open(const char *ca_file, struct tls **out)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls != NULL) {
        tls->context = SSL_CTX_new(TLS_client_method());
        tls->method = make_method();
    }
    if (tls == NULL || tls->context == NULL || tls->method == NULL ||
        SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1) {
        tls_destroy(tls);
        return TLS_MEMORY;
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE);
    bool loaded = SSL_CTX_load_verify_file(tls->context, ca_file) == 1;
    ERR_clear_error();
    if (!loaded) {
        tls_destroy(tls);
        return TLS_FILE;
    }
    *out = tls;
    return TLS_OPENED;
}

void tls_destroy(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls);
}

/* ---- one connection ---- */

/* Sets the name or the IP address that the certificate must have. */
static bool expect_host(SSL *ssl, const char *host)
{
    struct in6_addr address;
    if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls_stream *tls_stream_create(struct tls *tls, int fd, const char *host)
{
    struct tls_stream *stream = calloc(1, sizeof *stream);
    SSL *ssl = stream != NULL ? SSL_new(tls->context) : NULL;
    BIO *bio = ssl != NULL ? BIO_new(tls->method) : NULL;
    if (bio == NULL || !expect_host(ssl, host)) {
        (void)BIO_free(bio);
        SSL_free(ssl);
        free(stream);
        return NULL;
    }
    *stream = (struct tls_stream){.ssl = ssl, .fd = fd};
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio); /* now owns it */
    SSL_set_connect_state(ssl);
    return stream;
}

void tls_stream_destroy(struct tls_stream *stream)
{
    if (stream == NULL)
        return;
    SSL_free(stream->ssl);
    free(stream);
}

/* Returns what a call of OpenSSL that did not succeed means. */
static enum tls_result explain(struct tls_stream *stream, int result)
{
    int reason = errno;
    int error = SSL_get_error(stream->ssl, result);
    bool ended = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    ERR_clear_error();
    switch (error) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    case SSL_ERROR_SYSCALL:
        errno = reason;
        return TLS_CLOSED;
    case SSL_ERROR_ZERO_RETURN:
        errno = 0;
        return TLS_CLOSED;
    default:
        break;
    }
    errno = 0;
    if (SSL_get_verify_result(stream->ssl) != X509_V_OK)
        return TLS_UNTRUSTED;
    return ended ? TLS_CLOSED : TLS_WRONG;
}

enum tls_result tls_stream_handshake(struct tls_stream *stream)
{
    ERR_clear_error(); /* the thread's queue may hold errors of the program */
    int result = SSL_do_handshake(stream->ssl);
    return result == 1 ? TLS_DONE : explain(stream, result);
}

enum tls_result tls_stream_write(struct tls_stream *stream, const uint8_t *data, size_t size, size_t *done)
{
    ERR_clear_error();
    int result = SSL_write(stream->ssl, data, size < INT_MAX ? (int)size : INT_MAX);
    if (result <= 0)
        return explain(stream, result);
    *done = (size_t)result;
    return TLS_DONE;
}

enum tls_result tls_stream_read(struct tls_stream *stream, uint8_t *data, size_t size, size_t *done)
{
    ERR_clear_error();
    int result = SSL_read(stream->ssl, data, size < INT_MAX ? (int)size : INT_MAX);
    if (result <= 0)
        return explain(stream, result);
    *done = (size_t)result;
    return TLS_DONE;
}

bool tls_stream_has_pending(struct tls_stream *stream)
{
    return SSL_has_pending(stream->ssl) == 1;
}

const char *tls_stream_distrust(const struct tls_stream *stream)
{
    return X509_verify_cert_error_string(SSL_get_verify_result(stream->ssl));
}
