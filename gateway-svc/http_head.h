/* Private to http.c. Checks the head of a request for things that it must not contain. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_HEAD_H
#define SCREENING_GATEWAY_SVC_HTTP_HEAD_H

#include <microhttpd.h>
#include <stddef.h>

/*
 * Returns why a server in front of the gateway may have read the head differently, as text for people, or
 * NULL if there is no reason. `version` is text such as "HTTP/1.1". http_wire.h detects the differences that
 * libmicrohttpd hides from this function.
 */
const char *http_head_problem(struct MHD_Connection *mhd, const char *version);

/* Returns the length of the body according to the head, or 0 if the head does not give it. */
unsigned long long http_head_length(struct MHD_Connection *mhd);

/*
 * Decodes percent-encoded text, for MHD_OPTION_UNESCAPE_CALLBACK. Leaves text with %00 unchanged, so that no
 * path and no parameter ends early.
 */
size_t http_head_unescape(void *context, struct MHD_Connection *mhd, char *text);

#endif
