/* What the Connect protocol tells of a failure: code, message, and details for programs. */
#ifndef GATEWAY_SVC_CONNECT_ERROR_H
#define GATEWAY_SVC_CONNECT_ERROR_H

#include "base/arena.h"
#include "base/status.h"

/*
 * The JSON text {"code": "failed_precondition", "message": "...", "details": [...]} for an error that is not
 * OK. Its details: a google.rpc.ErrorInfo with the reason word where it has one, a google.rpc.RetryInfo where
 * it says when to ask again. It lies in `arena`; NULL when out of memory. Any thread.
 */
char *connect_error_text(struct arena *arena, const struct error *error);

#endif
