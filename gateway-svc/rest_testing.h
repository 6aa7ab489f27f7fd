/* Feeds arbitrary bytes to the REST request reader, for fuzzers and for rest_mutation_test.c. */
#ifndef SCREENING_GATEWAY_SVC_REST_TESTING_H
#define SCREENING_GATEWAY_SVC_REST_TESTING_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads a request line such as "POST /bookings?a=b", header lines, an empty line and the body. If there is a
 * route, aborts unless the result is a message that can be written as JSON, or a refusal with a message.
 * Returns true for a message, and false for a refusal or if there is no route.
 */
bool rest_fuzz(const char *bytes, size_t size);

/* The entry point for clang's -fsanitize=fuzzer. */
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

#endif
