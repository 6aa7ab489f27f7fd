/* What reads REST requests, fed with anything: for fuzzers, and for rest_mutation_test.c. */
#ifndef GATEWAY_SVC_REST_FUZZ_H
#define GATEWAY_SVC_REST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads "POST /bookings?a=b", lines of header fields, an empty line and the body, as http.c would hand them
 * over, and aborts if what comes of it is neither a message that can be written as JSON nor a refusal in
 * words. True if it was a message.
 */
bool rest_fuzz(const char *bytes, size_t size);

/* What clang's -fsanitize=fuzzer calls. */
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

#endif
