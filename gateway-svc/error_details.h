/* Machine-readable error details, packed as google.rpc messages. Pure. */
#ifndef SCREENING_GATEWAY_SVC_ERROR_DETAILS_H
#define SCREENING_GATEWAY_SVC_ERROR_DETAILS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define ERROR_DETAIL_DOMAIN "screening.v1"

/*
 * The maximum size of a packed detail. The largest detail is an ErrorInfo, with a reason shorter than
 * ERROR_REASON_SIZE and the domain, each preceded by two bytes.
 */
enum { ERROR_DETAIL_SIZE = ERROR_REASON_SIZE + sizeof ERROR_DETAIL_DOMAIN + 4, ERROR_DETAILS_MAX = 2 };

struct error_detail {
    const char *type; /* "google.rpc.ErrorInfo" or "google.rpc.RetryInfo" */
    size_t size;
    uint8_t packed[ERROR_DETAIL_SIZE];
};

/*
 * Packs a google.rpc.ErrorInfo if the error has a reason, and a google.rpc.RetryInfo if it has a retry delay.
 * Returns the number of details.
 */
size_t error_details_pack(const struct error *error, struct error_detail details[ERROR_DETAILS_MAX]);

#endif
