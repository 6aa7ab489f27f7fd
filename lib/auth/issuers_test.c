#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth_testing.h"
#include "auth/caller.h"
#include "auth/issuers.h"
#include "base/unit_testing.h"

enum { NOBODY = 65534 };
#define ALWAYS "\"roles\":{\"always\":\"admin\"}"

static struct test_key curve, rsa;

struct fixture {
    struct test_folder folder;
    char *path;
    struct auth_files files;
    struct auth_issuers *issuers;
    struct error error;
};

static int make_keys(void **state)
{
    (void)state;
    curve = test_key_make(TEST_ES256, "P-256");
    rsa = test_key_make(TEST_RS256, "2048");
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    test_key_free(&curve);
    test_key_free(&rsa);
    return 0;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    test_folder_init(&fixture->folder);
    fixture->path = test_path(&fixture->folder, "issuers.json");
    test_write(&fixture->folder, "k.json", "{\"keys\":[]}");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    auth_issuers_free(fixture->issuers);
    auth_files_fini(&fixture->files);
    test_folder_fini(&fixture->folder);
    free(fixture->path);
    free(fixture);
    return 0;
}

/* Writes issuers.json, frees `text`, and reads the file. */
static enum status read_issuers(struct fixture *fixture, char *text)
{
    test_write(&fixture->folder, "issuers.json", text);
    free(text);
    auth_files_fini(&fixture->files);
    auth_issuers_free(fixture->issuers);
    fixture->issuers = NULL;
    return auth_issuers_read(fixture->path, "booking-svc", &fixture->files, NULL, &fixture->issuers,
                             &fixture->error);
}

static void assert_read(struct fixture *fixture, char *text)
{
    if (read_issuers(fixture, text) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
}

/* Expects "issuers: FOLDER/FILE: WHAT" for this issuers.json, which it frees. */
static void assert_wrong(struct fixture *fixture, char *text, const char *file, const char *what)
{
    assert_int_equal(read_issuers(fixture, text), STATUS_INVALID_ARGUMENT);
    char *message = test_text("issuers: %s/%s: %s", fixture->folder.path, file, what);
    assert_string_equal(fixture->error.message, message);
    free(message);
}

/* Returns issuers.json with one issuer, "clinic", that has these members besides its name. */
static char *issuer_with(const char *members)
{
    return test_text("{\"issuers\":[{\"issuer\":\"clinic\",%s}]}", members);
}

static void assert_issuer_wrong(struct fixture *fixture, const char *members, const char *what)
{
    char *whole = test_text("issuer clinic: %s", what);
    assert_wrong(fixture, issuer_with(members), "issuers.json", whole);
    free(whole);
}

/* Writes the key set of "clinic" and reads it. */
static enum status read_keys(struct fixture *fixture, const char *set)
{
    test_write(&fixture->folder, "k.json", set);
    return read_issuers(fixture, issuer_with("\"audience\":\"a\",\"keys\":\"k.json\"," ALWAYS));
}

/* Reads a set with one key of these members, which it frees. Expects this message. */
static void assert_key_wrong(struct fixture *fixture, char *members, const char *what)
{
    char *set = test_text("{\"keys\":[{%s}]}", members);
    char *message = test_text("issuers: %s/k.json: issuer clinic: %s", fixture->folder.path, what);
    assert_int_equal(read_keys(fixture, set), STATUS_INVALID_ARGUMENT);
    assert_string_equal(fixture->error.message, message);
    free(message);
    free(set);
    free(members);
}

/* Reads a set with one key of these members, which it frees. Returns the number of usable keys. */
static size_t count_keys(struct fixture *fixture, char *members)
{
    char *set = test_text("{\"keys\":[{%s}]}", members);
    if (read_keys(fixture, set) != STATUS_OK)
        fail_msg("%s", fixture->error.message);
    free(set);
    free(members);
    return fixture->issuers->issuers[0].key_count;
}

static void test_issuers_are_read(void **state)
{
    struct fixture *fixture = *state;
    char *set = test_text("{\"keys\":[{\"kid\":\"1\",\"use\":\"sig\",\"x5t\":\"abc\",%s},"
                          "{\"kid\":\"2\",\"alg\":\"RS256\",\"key_ops\":[\"verify\"],%s}]}",
                          curve.public_members, rsa.public_members);
    test_write(&fixture->folder, "k.json", set);
    free(set);
    assert_read(
        fixture,
        strdup("{\"issuers\":[{\"issuer\":\"https://id.example\",\"audience\":\"screening\","
               "\"keys\":\"k.json\",\"roles\":{\"claim\":\"a.b\",\"values\":{\"x\":\"customer\",\"y\":"
               "\"auditor\"}},\"scope_claim\":\"s.t\"},"
               "{\"issuer\":\"history-svc\",\"audience\":\"@program\",\"keys\":\"k.json\","
               "\"roles\":{\"always\":\"service\"}}]}"));
    assert_int_equal(fixture->issuers->count, 2);
    const struct auth_issuer *first = auth_issuers_find(fixture->issuers, "https://id.example");
    assert_string_equal(first->audience, "screening");
    assert_string_equal(first->role_claim, "a.b");
    assert_string_equal(first->scope_claim, "s.t");
    assert_int_equal(first->role_value_count, 2);
    assert_string_equal(first->role_values[1].value, "y");
    assert_int_equal(first->role_values[1].role, AUTH_AUDITOR);
    assert_int_equal(first->always, 0);
    assert_string_equal(auth_issuer_find_key(first, "1")->algorithm, "ES256");
    assert_string_equal(auth_issuer_find_key(first, "2")->algorithm, "RS256");
    assert_null(json_object_get(auth_issuer_find_key(first, "1")->jwk, "x5t"));
    assert_null(auth_issuer_find_key(first, "3"));
    const struct auth_issuer *second = auth_issuers_find(fixture->issuers, "history-svc");
    assert_string_equal(second->audience, "booking-svc");
    assert_int_equal(second->always, AUTH_SERVICE);
    assert_null(second->scope_claim);
    assert_null(auth_issuers_find(fixture->issuers, "booking-svc"));
}

/* Its owner or mode must change before it is worth another look. */
static void test_file_that_may_not_be_read_is_no_change(void **state)
{
    struct fixture *fixture = *state;
    const bool is_root = geteuid() == 0;
    test_write(&fixture->folder, "issuers.json", "{\"issuers\":[]}");
    assert_int_equal(chmod(fixture->folder.path, 0755) + chmod(fixture->path, 0), 0);
    if (is_root)
        assert_int_equal(seteuid(NOBODY), 0);
    enum status status = auth_issuers_read(fixture->path, "booking-svc", &fixture->files, NULL,
                                           &fixture->issuers, &fixture->error);
    const bool changed = auth_files_changed(&fixture->files);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(fixture->error.message, "Permission denied"));
    assert_false(changed);
    for (int i = 0; i < 1000 && !auth_files_changed(&fixture->files); i++) { /* the file's clock is coarse */
        assert_int_equal(chmod(fixture->path, 0600), 0);
        usleep(1000);
    }
    assert_true(auth_files_changed(&fixture->files));
}

static void test_paths_are_relative_to_the_file(void **state)
{
    struct fixture *fixture = *state;
    char *members = test_text("\"audience\":\"a\",\"keys\":\"%s/k.json\"," ALWAYS, fixture->folder.path);
    assert_read(fixture, issuer_with(members));
    free(members);
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(fixture->folder.path), 0);
    auth_files_fini(&fixture->files);
    auth_issuers_free(fixture->issuers);
    fixture->issuers = NULL;
    test_write(&fixture->folder, "issuers.json",
               "{\"issuers\":[{\"issuer\":\"x\",\"audience\":\"a\",\"keys\":\"k.json\"," ALWAYS "}]}");
    enum status status =
        auth_issuers_read("issuers.json", "p", &fixture->files, NULL, &fixture->issuers, NULL);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(status, STATUS_OK);
}

static void test_a_file_that_cannot_be_read_is_named(void **state)
{
    struct fixture *fixture = *state;
    static const char MEMBERS[] = "\"audience\":\"a\",\"keys\":\"none.json\"," ALWAYS;
    assert_wrong(fixture, issuer_with(MEMBERS), "none.json", "No such file or directory");
    char *path = test_path(&fixture->folder, "none.json");
    assert_int_equal(mkfifo(path, S_IRUSR | S_IWUSR), 0);
    assert_wrong(fixture, issuer_with(MEMBERS), "none.json", "must be a regular file");
    char *large = test_text("{\"keys\":[],\"x\":\"%0*d\"}", AUTH_FILE_MAX_BYTES, 0);
    test_write(&fixture->folder, "none.json", large);
    assert_wrong(fixture, issuer_with(MEMBERS), "none.json", "must have at most 262144 bytes");
    test_write(&fixture->folder, "none.json", "{\"keys\":[]}");
    for (mode_t bit = S_IWOTH; bit <= S_IWGRP; bit <<= 3) {
        assert_int_equal(chmod(path, S_IRUSR | S_IWUSR | bit), 0);
        assert_wrong(fixture, issuer_with(MEMBERS), "none.json",
                     "nobody but this user and root may be able to change it");
    }
    free(path);
    free(large);
}

/* A file of the kernel has more bytes than its size says, like one that another program appends to. */
static void test_a_file_that_grows_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        read_issuers(fixture, issuer_with("\"audience\":\"a\",\"keys\":\"/proc/self/status\"," ALWAYS)),
        STATUS_INVALID_ARGUMENT);
    assert_string_equal(fixture->error.message, "issuers: /proc/self/status: has grown while it was read");
}

static void test_a_malformed_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char FILE_NAME[] = "issuers.json";
    assert_wrong(fixture, strdup(""), FILE_NAME, "line 1, column 0: '[' or '{' expected");
    assert_wrong(fixture, strdup("{\n\"issuers\": [}"), FILE_NAME, "line 2, column 13: unexpected token");
    assert_wrong(fixture, strdup("[]"), FILE_NAME, "must be a JSON object");
    assert_wrong(fixture, strdup("{\"issuers\":[],\"issuers\":[]}"), FILE_NAME,
                 "line 1, column 23: duplicate object key");
    assert_wrong(fixture, strdup("{\"issuers\":[{}]} x"), FILE_NAME,
                 "line 1, column 18: end of file expected");
    assert_wrong(fixture, strdup("{\"Issuers\":[]}"), FILE_NAME, "Issuers: is unknown");
    assert_wrong(fixture, strdup("{}"), FILE_NAME, "issuers: must be an array of 1 to 64 issuers");
    assert_wrong(fixture, strdup("{\"issuers\":[]}"), FILE_NAME,
                 "issuers: must be an array of 1 to 64 issuers");
    assert_wrong(fixture, strdup("{\"issuers\":{}}"), FILE_NAME,
                 "issuers: must be an array of 1 to 64 issuers");
    assert_wrong(fixture, strdup("{\"issuers\":[1]}"), FILE_NAME, "issuers: must be an array of objects");
}

static void test_too_many_issuers_are_refused(void **state)
{
    struct fixture *fixture = *state;
    char *text = strdup("{\"issuers\":[");
    for (int i = 0; i <= AUTH_ISSUERS_MAX; i++) {
        char *longer = test_text("%s%s{\"issuer\":\"i%d\",\"audience\":\"a\",\"keys\":\"k.json\"," ALWAYS "}",
                                 text, i > 0 ? "," : "", i);
        free(text);
        text = longer;
        if (i == AUTH_ISSUERS_MAX - 1)
            assert_read(fixture, test_text("%s]}", text));
    }
    assert_wrong(fixture, test_text("%s]}", text), "issuers.json",
                 "issuers: must be an array of 1 to 64 issuers");
    free(text);
}

static void test_the_members_of_an_issuer_are_checked(void **state)
{
    struct fixture *fixture = *state;
    static const char LONG_TEXT[] = "must be a text of 1 to 255 characters without control characters";
    char *what = test_text("issuer: %s", LONG_TEXT);
    assert_wrong(fixture, strdup("{\"issuers\":[{\"audience\":\"a\"}]}"), "issuers.json", what);
    assert_wrong(fixture, strdup("{\"issuers\":[{\"issuer\":\"\"}]}"), "issuers.json", what);
    assert_wrong(fixture, strdup("{\"issuers\":[{\"issuer\":\"a\\nb\"}]}"), "issuers.json", what);
    free(what);
    what = test_text("audience: %s", LONG_TEXT);
    assert_issuer_wrong(fixture, "\"keys\":\"k.json\"," ALWAYS, what);
    assert_issuer_wrong(fixture, "\"audience\":[\"a\"],\"keys\":\"k.json\"," ALWAYS, what);
    free(what);
    what = test_text("keys: %s", LONG_TEXT);
    assert_issuer_wrong(fixture, "\"audience\":\"a\"," ALWAYS, what);
    assert_issuer_wrong(fixture, "\"audience\":\"a\",\"keys\":{}," ALWAYS, what);
    free(what);
    assert_issuer_wrong(fixture, "\"audience\":\"a\",\"keys\":\"k.json\",\"role\":1," ALWAYS,
                        "role: is unknown");
    assert_issuer_wrong(fixture, "\"audience\":\"a\",\"keys\":\"k.json\"", "roles: must be an object");
    assert_wrong(fixture,
                 strdup("{\"issuers\":[{\"issuer\":\"clinic\",\"audience\":\"a\",\"keys\":\"k.json\"," ALWAYS
                        "},"
                        "{\"issuer\":\"clinic\",\"audience\":\"b\",\"keys\":\"k.json\"," ALWAYS "}]}"),
                 "issuers.json", "issuer clinic: issuer: is there twice");
}

/* Expects a message about the member "roles", or another one, of "clinic". */
static void assert_roles_wrong(struct fixture *fixture, const char *roles, const char *what)
{
    char *members = test_text("\"audience\":\"a\",\"keys\":\"k.json\",%s", roles);
    assert_issuer_wrong(fixture, members, what);
    free(members);
}

static void test_the_roles_of_an_issuer_are_checked(void **state)
{
    struct fixture *fixture = *state;
    static const char PATH[] = "must be the name of a claim, or names separated by dots";
    static const char ROLE[] = "must be a role: customer, staff, admin, auditor or service";
    char *what;
    assert_roles_wrong(fixture, "\"roles\":\"admin\"", "roles: must be an object");
    assert_roles_wrong(fixture, "\"roles\":{\"always\":\"admin\",\"claim\":\"r\"}", "claim: is unknown");
    assert_roles_wrong(fixture, "\"roles\":{\"claim\":\"r\",\"value\":{}}", "value: is unknown");
    assert_roles_wrong(fixture, "\"roles\":{}",
                       "claim: must be a text of 1 to 128 characters without control characters");
    assert_roles_wrong(fixture, "\"roles\":{\"claim\":\"r\"}",
                       "values: must be an object with 1 to 64 members");
    assert_roles_wrong(fixture, "\"roles\":{\"claim\":\"r\",\"values\":{}}",
                       "values: must be an object with 1 to 64 members");
    what = test_text("always: %s", ROLE);
    assert_roles_wrong(fixture, "\"roles\":{\"always\":\"root\"}", what);
    assert_roles_wrong(fixture, "\"roles\":{\"always\":31}", what);
    free(what);
    what = test_text("boss: %s", ROLE);
    assert_roles_wrong(fixture, "\"roles\":{\"claim\":\"r\",\"values\":{\"boss\":\"Admin\"}}", what);
    free(what);
    what = test_text("claim: %s", PATH);
    assert_roles_wrong(fixture, "\"roles\":{\"claim\":\".r\",\"values\":{\"x\":\"admin\"}}", what);
    assert_roles_wrong(fixture, "\"roles\":{\"claim\":\"r.\",\"values\":{\"x\":\"admin\"}}", what);
    assert_roles_wrong(fixture, "\"roles\":{\"claim\":\"r..s\",\"values\":{\"x\":\"admin\"}}", what);
    free(what);
    what = test_text("scope_claim: %s", PATH);
    assert_roles_wrong(fixture, "\"scope_claim\":\".\"," ALWAYS, what);
    free(what);
    assert_roles_wrong(fixture, "\"scope_claim\":1," ALWAYS,
                       "scope_claim: must be a text of 1 to 128 characters without control characters");
}

static void test_a_key_set_must_be_an_array(void **state)
{
    struct fixture *fixture = *state;
    static const char *const SETS[] = {"{}", "{\"keys\":{}}", "{\"keys\":null}"};
    char *message = test_text("issuers: %s/k.json: issuer clinic: keys: must be an array of at most 64 keys",
                              fixture->folder.path);
    for (size_t i = 0; i < sizeof SETS / sizeof SETS[0]; i++) {
        assert_int_equal(read_keys(fixture, SETS[i]), STATUS_INVALID_ARGUMENT);
        assert_string_equal(fixture->error.message, message);
    }
    free(message);
    char *set = strdup("{\"keys\":[{}");
    for (int i = 0; i < AUTH_KEYS_MAX; i++) {
        char *longer = test_text("%s,{}", set);
        free(set);
        set = longer;
    }
    char *whole = test_text("%s]}", set);
    assert_int_equal(read_keys(fixture, whole), STATUS_INVALID_ARGUMENT);
    free(set);
    free(whole);
}

static void test_a_key_needs_an_id(void **state)
{
    struct fixture *fixture = *state;
    static const char WRONG[] = "keys[0]: kid: must be a text of 1 to 128 characters";
    assert_key_wrong(fixture, strdup(curve.public_members), WRONG);
    assert_key_wrong(fixture, test_text("\"kid\":7,%s", curve.public_members), WRONG);
    assert_key_wrong(fixture, test_text("\"kid\":\"\",%s", curve.public_members),
                     "key : kid: must be a text of 1 to 128 characters");
    char *set = test_text("{\"keys\":[{\"kid\":\"k\",%s},{\"kid\":\"k\",%s}]}", curve.public_members,
                          rsa.public_members);
    assert_int_equal(read_keys(fixture, set), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(fixture->error.message, "issuer clinic: key k: kid: is there twice"));
    free(set);
}

static void test_private_and_symmetric_keys_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const NAMES[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    assert_key_wrong(fixture, test_text("\"kid\":\"k\",%s", curve.private_members),
                     "key k: d: belongs to a private key, and the set must have public keys only");
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char *what = test_text("key k: %s: belongs to a private key, and the set must have public keys only",
                               NAMES[i]);
        assert_key_wrong(fixture, test_text("\"kid\":\"k\",\"kty\":\"OKP\",\"%s\":\"AA\"", NAMES[i]), what);
        assert_key_wrong(fixture, test_text("\"kid\":\"k\",\"use\":\"enc\",\"%s\":\"AA\"", NAMES[i]), what);
        free(what);
    }
}

static void test_a_key_has_one_algorithm(void **state)
{
    struct fixture *fixture = *state;
    static const char *const OTHERS[] = {"\"ES384\"", "\"RS256\"", "\"HS256\"",  "\"none\"",
                                         "\"\"",      "1",         "[\"ES256\"]"};
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        assert_key_wrong(fixture, test_text("\"kid\":\"k\",\"alg\":%s,%s", OTHERS[i], curve.public_members),
                         "key k: alg: must be ES256");
    assert_key_wrong(fixture, test_text("\"kid\":\"k\",\"alg\":\"PS256\",%s", rsa.public_members),
                     "key k: alg: must be RS256");
    assert_key_wrong(fixture, test_text("\"kid\":\"k\",\"alg\":\"RS512\",%s", rsa.public_members),
                     "key k: alg: must be RS256");
}

static void test_keys_that_cannot_verify_tokens_are_skipped(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(count_keys(fixture, test_text("\"kid\":\"k\",%s", curve.public_members)), 1);
    assert_int_equal(
        count_keys(fixture, strdup("\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"")), 0);
    assert_int_equal(count_keys(fixture, test_text("\"kid\":\"k\",\"use\":\"enc\",%s", rsa.public_members)),
                     0);
    assert_int_equal(count_keys(fixture, test_text("\"kid\":\"k\",\"use\":1,%s", rsa.public_members)), 0);
    assert_int_equal(
        count_keys(fixture, test_text("\"kid\":\"k\",\"key_ops\":[\"encrypt\",1],%s", rsa.public_members)),
        0);
    assert_int_equal(count_keys(fixture, test_text("\"kid\":\"k\",\"key_ops\":[],%s", rsa.public_members)),
                     0);
    assert_int_equal(
        count_keys(fixture, test_text("\"kid\":\"k\",\"key_ops\":[\"verify\"],%s", rsa.public_members)), 1);
}

static void test_a_key_of_another_type_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct test_key large = test_key_make(TEST_ES256, "P-384");
    struct test_key small = test_key_make(TEST_RS256, "1024");
    assert_key_wrong(fixture, strdup("\"kid\":\"k\""), "key k: kty: must be EC or RSA");
    assert_key_wrong(fixture, strdup("\"kid\":\"k\",\"kty\":\"oct\""), "key k: kty: must be EC or RSA");
    assert_key_wrong(fixture, strdup("\"kid\":\"k\",\"kty\":\"EC\""), "key k: crv: must be P-256");
    assert_key_wrong(fixture, test_text("\"kid\":\"k\",%s", large.public_members),
                     "key k: crv: must be P-256");
    assert_key_wrong(fixture, test_text("\"kid\":\"k\",%s", small.public_members),
                     "key k: n: must have 2048 to 8192 bits");
    test_key_free(&large);
    test_key_free(&small);
}

static void test_the_numbers_must_be_a_key(void **state)
{
    struct fixture *fixture = *state;
    static const char CURVE[] = "\"kid\":\"k\",\"kty\":\"EC\",\"crv\":\"P-256\"";
    static const char NUMBER[] = "must be a number in base64url";
    char *point = test_text("%s,\"x\":\"AQ\",\"y\":\"AQ\"", CURVE);
    char *what = test_text("key k: x: %s", NUMBER);
    assert_key_wrong(fixture, strdup(CURVE), what);
    assert_key_wrong(fixture, test_text("%s,\"x\":\"\",\"y\":\"AA\"", CURVE), what);
    assert_key_wrong(fixture, test_text("%s,\"x\":1,\"y\":\"AA\"", CURVE), what);
    free(what);
    what = test_text("key k: y: %s", NUMBER);
    assert_key_wrong(fixture, test_text("%s,\"x\":\"AA\"", CURVE), what);
    free(what);
    assert_key_wrong(fixture, point, "key k: x: the numbers are not a key");
    assert_key_wrong(fixture, test_text("%s,\"x\":\"%%%%\",\"y\":\"AA\"", CURVE),
                     "key k: x: the numbers are not a key");
    what = test_text("key k: n: %s", NUMBER);
    assert_key_wrong(fixture, test_text("\"kid\":\"k\",\"kty\":\"RSA\",\"n\":\"%01400d\",\"e\":\"AQAB\"", 0),
                     what);
    free(what);
    assert_key_wrong(fixture, strdup("\"kid\":\"k\",\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQ\""),
                     "key k: n: the numbers are not a key");
}

#define ISSUERS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ISSUERS_TEST(test_issuers_are_read),
        ISSUERS_TEST(test_file_that_may_not_be_read_is_no_change),
        ISSUERS_TEST(test_paths_are_relative_to_the_file),
        ISSUERS_TEST(test_a_file_that_cannot_be_read_is_named),
        ISSUERS_TEST(test_a_file_that_grows_is_refused),
        ISSUERS_TEST(test_a_malformed_file_is_refused),
        ISSUERS_TEST(test_too_many_issuers_are_refused),
        ISSUERS_TEST(test_the_members_of_an_issuer_are_checked),
        ISSUERS_TEST(test_the_roles_of_an_issuer_are_checked),
        ISSUERS_TEST(test_a_key_set_must_be_an_array),
        ISSUERS_TEST(test_a_key_needs_an_id),
        ISSUERS_TEST(test_private_and_symmetric_keys_are_refused),
        ISSUERS_TEST(test_a_key_has_one_algorithm),
        ISSUERS_TEST(test_keys_that_cannot_verify_tokens_are_skipped),
        ISSUERS_TEST(test_a_key_of_another_type_is_refused),
        ISSUERS_TEST(test_the_numbers_must_be_a_key),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
