/* What the Connect protocol tells of a failure: code, message, and details for programs. */
#ifndef GATEWAY_SVC_CONNECT_ERROR_H
#define GATEWAY_SVC_CONNECT_ERROR_H

#include <jansson.h>

#include "base/status.h"

/*
 * {"code": "failed_precondition", "message": "...", "details": [...]} for an error that is not OK. Its
 * details: a google.rpc.ErrorInfo with the reason word where it has one, a google.rpc.RetryInfo where it says
 * when to ask again. The caller ends with json_decref. NULL when out of memory. Any thread.
 */
json_t *connect_error_json(const struct error *error);

#endif
