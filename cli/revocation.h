/* The list of an authority's revoked certificates. Any thread. */
#ifndef SCREENING_CLI_REVOCATION_H
#define SCREENING_CLI_REVOCATION_H

#include "certificate.h"

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/*
 * Writes the authority's list to the file at `path`, in PEM, valid until `end_s` (seconds since 1970-01-01
 * UTC). The list has the entries of the list that the file already holds, and the certificate `revoked`
 * unless it is NULL. Sets *count to the number of entries. Fails like file_read (but a file may be absent)
 * and file_replace, with FAILED_PRECONDITION "PATH: ..." if the file holds no list or one of another
 * authority, and with INTERNAL.
 */
MUST_CHECK enum status revocation_write(struct arena *arena, const char *path,
                                        const struct certificate *authority, const X509 *revoked,
                                        int64_t end_s, size_t *count, struct error *error);

/*
 * Reads the list of a file. Fails like file_read, and with FAILED_PRECONDITION if it holds none. The caller
 * frees *out with X509_CRL_free.
 */
MUST_CHECK enum status revocation_read(struct arena *arena, const char *path, X509_CRL **out,
                                       struct error *error);

/* Returns the instant after which the list is no longer valid, and nor is any certificate for its readers. */
int64_t revocation_end_s(const X509_CRL *list);

#endif
