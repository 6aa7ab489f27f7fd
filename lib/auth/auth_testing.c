#include "auth/auth_testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unit_testing.h"

enum { NUMBER_MAX_BYTES = 1024, SIGNATURE_MAX_BYTES = 1024, SHA256_BYTES = 32, CURVE_BYTES = 32 };

char *test_text(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    assert_true(vasprintf(&text, format, arguments) >= 0);
    va_end(arguments);
    return text;
}

char *test_base64(const void *bytes, size_t size)
{
    char *text = malloc(size / 3 * 4 + 5);
    assert_non_null(text);
    EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    return text;
}

/* Appends ,"NAME":"BASE64URL" of a number of the key to *members. */
static void append_number(char **members, EVP_PKEY *pair, const char *name, const char *parameter, int size)
{
    uint8_t bytes[NUMBER_MAX_BYTES];
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pair, parameter, &number), 1);
    if (size == 0)
        size = BN_num_bytes(number);
    assert_int_equal(BN_bn2binpad(number, bytes, size), size);
    BN_clear_free(number);
    char *text = test_base64(bytes, (size_t)size);
    char *longer = test_text("%s,\"%s\":\"%s\"", *members, name, text);
    free(text);
    free(*members);
    *members = longer;
}

static void describe_curve(struct test_key *key, const char *curve)
{
    const int size = (EVP_PKEY_get_bits(key->pair) + 7) / 8;
    key->public_members = test_text("\"kty\":\"EC\",\"crv\":\"%s\"", curve);
    append_number(&key->public_members, key->pair, "x", OSSL_PKEY_PARAM_EC_PUB_X, size);
    append_number(&key->public_members, key->pair, "y", OSSL_PKEY_PARAM_EC_PUB_Y, size);
    key->private_members = strdup(key->public_members);
    append_number(&key->private_members, key->pair, "d", OSSL_PKEY_PARAM_PRIV_KEY, size);
}

static void describe_rsa(struct test_key *key)
{
    static const struct {
        const char *name, *parameter;
    } SECRET[] = {
        {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
        {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
        {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
    };
    key->public_members = strdup("\"kty\":\"RSA\"");
    append_number(&key->public_members, key->pair, "n", OSSL_PKEY_PARAM_RSA_N, 0);
    append_number(&key->public_members, key->pair, "e", OSSL_PKEY_PARAM_RSA_E, 0);
    key->private_members = strdup(key->public_members);
    for (size_t i = 0; i < sizeof SECRET / sizeof SECRET[0]; i++)
        append_number(&key->private_members, key->pair, SECRET[i].name, SECRET[i].parameter, 0);
}

struct test_key test_key_make(enum test_key_type type, const char *parameter)
{
    struct test_key key = {.type = type, .digest = EVP_sha256()};
    key.pair =
        type == TEST_ES256 ? EVP_EC_gen(parameter) : EVP_RSA_gen((unsigned)strtoul(parameter, NULL, 10));
    assert_non_null(key.pair);
    if (type == TEST_ES256)
        describe_curve(&key, parameter);
    else
        describe_rsa(&key);
    return key;
}

void test_key_free(struct test_key *key)
{
    EVP_PKEY_free(key->pair);
    free(key->public_members);
    free(key->private_members);
}

/* Returns "HEADER.PAYLOAD" in base64url. */
static char *encode(const char *header, const char *payload)
{
    char *first = test_base64(header, strlen(header));
    char *second = test_base64(payload, strlen(payload));
    char *both = test_text("%s.%s", first, second);
    free(first);
    free(second);
    return both;
}

/* Appends the signature to `text`, which it frees. */
static char *append_signature(char *text, const void *signature, size_t size)
{
    char *third = test_base64(signature, size);
    char *token = test_text("%s.%s", text, third);
    free(third);
    free(text);
    return token;
}

/* Rewrites a signature of a curve from DER to the two numbers. */
static size_t make_raw(uint8_t *signature, size_t size, int number_bytes)
{
    const uint8_t *der = signature;
    ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &der, (long)size);
    assert_non_null(numbers);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(numbers), signature, number_bytes), number_bytes);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(numbers), signature + number_bytes, number_bytes),
                     number_bytes);
    ECDSA_SIG_free(numbers);
    return 2 * (size_t)number_bytes;
}

char *test_sign(const struct test_key *key, const char *header, const char *payload)
{
    uint8_t signature[SIGNATURE_MAX_BYTES];
    size_t size = sizeof signature;
    char *text = encode(header, payload);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_non_null(context);
    assert_int_equal(EVP_DigestSignInit(context, NULL, key->digest, NULL, key->pair), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &size, (const uint8_t *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    if (key->type == TEST_ES256)
        size = make_raw(signature, size, (EVP_PKEY_get_bits(key->pair) + 7) / 8);
    return append_signature(text, signature, size);
}

char *test_sign_hmac(const void *secret, size_t secret_size, const char *header, const char *payload)
{
    uint8_t signature[SHA256_BYTES];
    unsigned size = 0;
    char *text = encode(header, payload);
    assert_non_null(
        HMAC(EVP_sha256(), secret, (int)secret_size, (const uint8_t *)text, strlen(text), signature, &size));
    return append_signature(text, signature, size);
}

void test_folder_init(struct test_folder *folder)
{
    snprintf(folder->path, sizeof folder->path, "/tmp/auth-test-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

void test_folder_fini(struct test_folder *folder)
{
    DIR *entries = opendir(folder->path);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.')
            test_remove(folder, entry->d_name);
    closedir(entries);
    assert_int_equal(rmdir(folder->path), 0);
}

char *test_path(const struct test_folder *folder, const char *name)
{
    return test_text("%s/%s", folder->path, name);
}

void test_write(const struct test_folder *folder, const char *name, const char *text)
{
    char *path = test_path(folder, name);
    char *fresh = test_path(folder, ".new");
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(file), 0);
    assert_int_equal(rename(fresh, path), 0);
    free(fresh);
    free(path);
}

void test_remove(const struct test_folder *folder, const char *name)
{
    char *path = test_path(folder, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}
