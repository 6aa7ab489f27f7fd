/*
 * Gives the readers of certificates and keys damaged files. The fuzzer of certificates has the kinds C and c,
 * the fuzzer of keys the others, because OpenSSL takes milliseconds for a key. The first byte is the kind:
 *
 * - C, K: the rest is a certificate or a private key in DER, which the file has as PEM. Base64 would hide the
 *   bytes from the fuzzer.
 * - c, k: the rest is the file, which should be PEM.
 * - J: the rest is a private key in JSON.
 * - R: as C. A certificate that was read is also renewed, which needs a new key.
 */
#include "certificate.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/private_key.h"
#include "base/log.h"

enum { DER_MAX = 4096, DAY_S = 24 * 60 * 60 };

static const char KINDS[] = FUZZ_KINDS; /* the first stands for any other byte */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char path[] = "/dev/shm/certificate-fuzz-XXXXXX";
static int file;
static struct certificate authority;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void clean_up(void)
{
    (void)unlink(path);
    certificate_fini(&authority);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const struct certificate_request request = {.name = "an authority", .not_after_s = INT32_MAX};
    file = mkstemp(path); /* with mode 0600 */
    require(file >= 0 && atexit(clean_up) == 0);
    require(certificate_make(&request, &authority, NULL) == STATUS_OK);
    log_open("certificate_fuzzer", LOG_ERROR);
    return 0;
}

static void write_file(const void *bytes, size_t size)
{
    require(ftruncate(file, 0) == 0 && pwrite(file, bytes, size, 0) == (ssize_t)size);
}

static void write_pem(const char *what, const uint8_t *bytes, size_t size)
{
    enum { AROUND = 128 };
    static char text[DER_MAX / 3 * 4 + DER_MAX / 48 + AROUND]; /* 48 bytes a line, each with a newline */
    size = size > DER_MAX - 48 ? DER_MAX - 48 : size;
    int used = snprintf(text, AROUND, "-----BEGIN %s-----\n", what);
    for (size_t at = 0; at < size; at += 48) {
        used +=
            EVP_EncodeBlock((unsigned char *)text + used, bytes + at, (int)(size - at > 48 ? 48 : size - at));
        text[used++] = '\n';
    }
    used += snprintf(text + used, AROUND / 2, "-----END %s-----\n", what);
    write_file(text, (size_t)used);
}

/* Checks how a reader has failed: with a message that names the file, and without an error left for others.
 */
static void require_refused(enum status status, const struct error *error, const char *begin)
{
    require(status == STATUS_INVALID_ARGUMENT || status == STATUS_FAILED_PRECONDITION);
    require(error->status == status && strncmp(error->message, begin, strlen(begin)) == 0);
    require(strstr(error->message, path) != NULL && ERR_peek_error() == 0);
}

static void renew(struct arena *arena, X509 *like)
{
    const struct certificate_request request = {.name = "a service",
                                                .use = CERTIFICATE_PEER,
                                                .not_after_s = DAY_S,
                                                .like = like,
                                                .issuer = &authority};
    struct certificate made = {0};
    struct error error = {0};
    const char *pem;
    enum status status = certificate_make(&request, &made, &error);
    require(status == STATUS_OK || (status == STATUS_INTERNAL && error.status == status));
    if (status == STATUS_OK)
        require(certificate_to_pem(arena, made.x509, made.key, &pem, &error) == STATUS_OK);
    certificate_fini(&made);
}

static void read_certificate(struct arena *arena, bool renews)
{
    X509 *x509 = NULL;
    struct error error = {0};
    const char *pem;
    enum status status = certificate_read(arena, path, &x509, &error);
    if (status != STATUS_OK) {
        require_refused(status, &error, path);
        return;
    }
    (void)certificate_end_s(x509);
    (void)certificate_to_pem(arena, x509, NULL, &pem, &error);
    ERR_clear_error();
    if (renews)
        renew(arena, x509);
    X509_free(x509);
}

static void read_key(void)
{
    EVP_PKEY *key = NULL;
    struct error error = {0};
    enum status status = certificate_read_key("DIR", path, &key, &error);
    if (status != STATUS_OK)
        require_refused(status, &error, "DIR: ");
    else
        (void)X509_check_private_key(authority.x509, key);
    ERR_clear_error();
    EVP_PKEY_free(key);
}

static void read_signing_key(void)
{
    struct auth_private_key *key = NULL;
    struct error error = {0};
    enum status status = auth_private_key_open("token-key", path, &key, &error);
    require(status == STATUS_OK || (status == STATUS_INVALID_ARGUMENT && error.status == status));
    require(status == STATUS_OK || strncmp(error.message, "token-key: ", 11) == 0);
    auth_private_key_close(key);
    ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena arena;
    if (size == 0)
        return 0;
    const char kind = *bytes != '\0' && strchr(KINDS, *bytes) != NULL ? (char)*bytes : KINDS[0];
    bytes++;
    size--;
    arena_init(&arena);
    if (kind == 'C' || kind == 'R' || kind == 'K')
        write_pem(kind == 'K' ? "PRIVATE KEY" : "CERTIFICATE", bytes, size);
    else
        write_file(bytes, size);
    if (kind == 'J')
        read_signing_key();
    else if (kind == 'K' || kind == 'k')
        read_key();
    else
        read_certificate(&arena, kind == 'R');
    arena_fini(&arena);
    return 0;
}
