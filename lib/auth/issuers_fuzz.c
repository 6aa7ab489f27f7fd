/*
 * Gives the reader of issuers.json damaged files: issuers.json and a key set, k.json, separated by a NUL.
 *
 * OpenSSL takes milliseconds to check the numbers of an RSA key. So they are checked only if the first byte
 * is REAL; otherwise each key counts as one of 2048 bits.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/caller.h"
#include "auth/issuers.h"
#include "auth/jwk.h"
#include "auth/jws.h"
#include "base/log.h"

enum { REAL = 'R', ASSUMED_BITS = 2048 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
bool __real_auth_jws_key_is_sound(const json_t *jwk, int *bits);
bool __wrap_auth_jws_key_is_sound(const json_t *jwk, int *bits);

static bool numbers_are_checked;
static int files[2]; /* issuers.json and k.json */

bool __wrap_auth_jws_key_is_sound(const json_t *jwk, int *bits)
{
    if (numbers_are_checked)
        return __real_auth_jws_key_is_sound(jwk, bits);
    *bits = ASSUMED_BITS;
    return true;
}

static void require(bool condition)
{
    if (!condition)
        abort();
}

static char folder[] = "/dev/shm/issuers-fuzz-XXXXXX";

static void remove_folder(void)
{
    (void)unlink("issuers.json");
    (void)unlink("k.json");
    (void)rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    require(mkdtemp(folder) != NULL && chdir(folder) == 0);
    files[0] = open("issuers.json", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    files[1] = open("k.json", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    require(files[0] >= 0 && files[1] >= 0);
    require(atexit(remove_folder) == 0);
    log_open("issuers_fuzzer", LOG_ERROR);
    return 0;
}

static void write_file(int file, const uint8_t *bytes, size_t size)
{
    require(ftruncate(file, 0) == 0 && pwrite(file, bytes, size, 0) == (ssize_t)size);
}

static void require_good_issuer(const struct auth_issuer *issuer)
{
    require(*issuer->name != '\0' && *issuer->audience != '\0' && strcmp(issuer->audience, "@program") != 0);
    require((issuer->always != 0) != (issuer->role_claim != NULL));
    require((issuer->always & ~(unsigned)AUTH_ROLES_ALL) == 0);
    require(issuer->key_count <= AUTH_KEYS_MAX);
    for (size_t i = 0; i < issuer->key_count; i++) {
        const struct auth_key *key = &issuer->keys[i];
        require(strcmp(key->algorithm, "ES256") == 0 || strcmp(key->algorithm, "RS256") == 0);
        require(auth_issuer_find_key(issuer, key->id) == key);
        require(auth_jwk_secret_member(key->jwk) == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct auth_files noted = {0};
    struct auth_issuers *issuers;
    struct error error = {0};
    if (size == 0)
        return 0;
    numbers_are_checked = *bytes++ == REAL;
    const size_t first = strnlen((const char *)bytes, --size);
    write_file(files[0], bytes, first);
    write_file(files[1], bytes + first + 1, first < size ? size - first - 1 : 0);
    enum status status = auth_issuers_read("issuers.json", "booking-svc", &noted, NULL, &issuers, &error);
    require(status == STATUS_OK || (status == STATUS_INVALID_ARGUMENT && error.status == status));
    require(status == STATUS_OK || strncmp(error.message, "issuers: ", 9) == 0);
    if (status == STATUS_OK) {
        for (size_t i = 0; i < issuers->count; i++)
            require_good_issuer(&issuers->issuers[i]);
        auth_issuers_free(issuers);
    }
    auth_files_fini(&noted);
    return 0;
}
