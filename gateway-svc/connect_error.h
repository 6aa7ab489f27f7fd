/* Formats errors of the Connect protocol: a code, a message, and machine-readable details. */
#ifndef SCREENING_GATEWAY_SVC_CONNECT_ERROR_H
#define SCREENING_GATEWAY_SVC_CONNECT_ERROR_H

#include <jansson.h>

#include "base/status.h"

/*
 * Returns {"code": "failed_precondition", "message": "...", "details": [...]} for an error that is not OK.
 * The details contain a google.rpc.ErrorInfo if the error has a reason, and a google.rpc.RetryInfo if it has
 * a retry delay. Without either, "details" is omitted. The caller releases the result with json_decref.
 * Returns NULL when out of memory. Any thread.
 */
json_t *connect_error_json(const struct error *error);

#endif
