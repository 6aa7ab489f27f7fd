/*
 * Damages valid requests reproducibly, and checks that each is either accepted or refused with a message. A
 * fuzzer that uses rest_testing.h explores further requests.
 */
#include "rest_testing.h"

#include <string.h>

#include "base/unit_testing.h"

enum { ITERATIONS = 200000, TEXT_MAX_BYTES = 2048, MUTATIONS_MAX = 4 };

static const char *const samples[] = {
    "POST /bookings\nContent-Type: application/json\nIdempotency-Key: \"order 17\"\n\n"
    "{\"customerId\":\"c-1\",\"customerName\":\"김하늘\",\"hospitalId\":\"01890000-0000-7000-8000-"
    "000000000002\","
    "\"date\":\"2026-12-01\",\"headcount\":2,\"queueIfUnavailable\":true}",
    "POST /hospitals\nContent-Type: application/json; charset=utf-8\n"
    "Idempotency-Key: 01890000-0000-7000-8000-000000000002\n\n"
    "{\"name\":\"한빛\",\"address\":\"서울\",\"days\":[{\"date\":\"2026-12-01\",\"capacity\":10},{"
    "\"capacity\":\"7\"}]}",
    "PUT /hospitals/h/days/2026-12-01\nContent-Type: application/json\nIf-Match: \"7\"\n"
    "Request-Timeout-Ms: 500\n\n{\"capacity\":9,\"expectedVersion\":\"7\"}",
    "POST /bookings/b/cancel\nContent-Type: application/json\n\n{\"bookingId\":\"b\",\"reason\":\"rain\"}",
    "DELETE /bookings/b?reason=rain\nIf-Match: *\n\n",
    "GET /bookings?customerId=c-1&date=2026-12-01&status=CONFIRMED&pageSize=500&pageToken=00ff\n\n",
    "GET /hospitals?nameContains=x&includeDeleted=true&date=2026-12-01\n\n",
    "GET /bookingHistories?customerId=c&fromDate=2026-01-01&toDate=2026-12-31&status=CANCELLED\n\n",
    "GET /hospitals/h/availability?fromDate=2026-01-01&toDate=\n\n",
};

static const char *const tokens[] = {
    "{",       "}",   "[",       "]",    "\"",   ":",    ",",       "null",       "true",
    "-1",      "1e9", "\\u0000", "\xff", "\xc0", "\n",   "\n\n",    "/",          "?",
    "&",       "=",   "\"0\"",   "W/",   "*",    "days", "status=", "9999999999", "18446744073709551616",
    "{\"a\":", "%00", "%",       " ",
};

struct mutant {
    size_t size;
    char bytes[TEXT_MAX_BYTES];
};

/* Returns the next pseudo-random number below `bound`. The sequence depends only on the first seed. */
static size_t next(uint64_t *seed, size_t bound)
{
    enum { SHIFT = 33 };
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(*seed >> SHIFT) % bound;
}

static void replace(struct mutant *mutant, size_t at, size_t old_size, const char *with, size_t with_size)
{
    if (at + old_size > mutant->size || mutant->size - old_size + with_size > sizeof mutant->bytes)
        return;
    memmove(mutant->bytes + at + with_size, mutant->bytes + at + old_size, mutant->size - at - old_size);
    memcpy(mutant->bytes + at, with, with_size);
    mutant->size = mutant->size - old_size + with_size;
}

static void mutate(struct mutant *mutant, uint64_t *seed)
{
    enum { KINDS = 4, FEW = 8, BYTES = 256 };
    size_t at = next(seed, mutant->size + 1);
    const char *token = tokens[next(seed, sizeof tokens / sizeof tokens[0])];
    char byte = (char)next(seed, BYTES);
    switch (next(seed, KINDS)) {
    case 0: /* replace a byte */
        replace(mutant, at, 1, &byte, 1);
        break;
    case 1: /* insert a token */
        replace(mutant, at, 0, token, strlen(token));
        break;
    case 2: /* replace a few bytes with a token */
        replace(mutant, at, next(seed, FEW), token, strlen(token));
        break;
    default: /* delete a few bytes */
        replace(mutant, at, next(seed, FEW), "", 0);
        break;
    }
}

static void test_mutation_samples_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        assert_true(rest_fuzz(samples[i], strlen(samples[i])));
}

static void test_mutation_damaged_requests_are_read_or_refused(void **state)
{
    (void)state;
    uint64_t seed = 6;
    unsigned accepted = 0;
    for (unsigned i = 0; i < ITERATIONS; i++) {
        const char *sample = samples[i % (sizeof samples / sizeof samples[0])];
        struct mutant mutant = {.size = strlen(sample)};
        memcpy(mutant.bytes, sample, mutant.size);
        for (size_t n = 1 + next(&seed, MUTATIONS_MAX); n > 0; n--)
            mutate(&mutant, &seed);
        accepted += rest_fuzz(mutant.bytes, mutant.size) ? 1 : 0;
    }
    /* Some, but not most, of the mutants are accepted, because they are close to valid requests. */
    assert_in_range(accepted, ITERATIONS / 100, ITERATIONS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutation_samples_are_accepted),
        cmocka_unit_test(test_mutation_damaged_requests_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
