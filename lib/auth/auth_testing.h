/*
 * For tests: keys, tokens with any content, and folders of issuers. Makes and signs with OpenSSL only, so
 * that libjose does not verify its own work. All functions fail the test on error.
 */
#ifndef SCREENING_AUTH_AUTH_TESTING_H
#define SCREENING_AUTH_AUTH_TESTING_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

enum test_key_type { TEST_ES256, TEST_RS256 };

struct test_key {
    enum test_key_type type;
    EVP_PKEY *pair;
    const EVP_MD *digest; /* SHA-256, unless a test replaces it */
    char *public_members; /* the members of the JWK without braces, such as "kty":"EC","crv":... */
    char *private_members;
};

/* `parameter` is the name of a curve, or the number of bits. */
struct test_key test_key_make(enum test_key_type type, const char *parameter);
void test_key_free(struct test_key *key);

/* Returns the base64url of the bytes. The caller frees it. */
char *test_base64(const void *bytes, size_t size);

/* Returns HEADER.PAYLOAD.SIGNATURE of the two texts, signed by the key. The caller frees it. */
char *test_sign(const struct test_key *key, const char *header, const char *payload);

/* Signs with HMAC-SHA256 instead. */
char *test_sign_hmac(const void *secret, size_t secret_size, const char *header, const char *payload);

/* Formats a text. The caller frees it. */
char *test_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A folder that test_folder_fini removes with its files. */
struct test_folder {
    char path[64];
};
void test_folder_init(struct test_folder *folder);
void test_folder_fini(struct test_folder *folder);

/* Returns the path of a file in the folder. The caller frees it. */
char *test_path(const struct test_folder *folder, const char *name);

/* Replaces a file by renaming a new one, mode 0600. */
void test_write(const struct test_folder *folder, const char *name, const char *text);
void test_remove(const struct test_folder *folder, const char *name);

#endif
