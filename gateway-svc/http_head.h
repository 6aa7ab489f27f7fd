/* Private to http.c: what the head of a request must not contain. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_HEAD_H
#define SCREENING_GATEWAY_SVC_HTTP_HEAD_H

#include <microhttpd.h>
#include <stddef.h>

/*
 * Returns why a server in front of the gateway may have read the head differently, as text for people; NULL
 * if there is no reason. `version`: "HTTP/1.1". http_wire.h detects what libmicrohttpd hides from this
 * function.
 */
const char *http_head_problem(struct MHD_Connection *mhd, const char *version);

/* Returns the length of the body according to the head; 0 if the head does not give it. */
unsigned long long http_head_length(struct MHD_Connection *mhd);

/* For MHD_OPTION_UNESCAPE_CALLBACK: text with %00 is left unchanged, so that no path and no parameter ends
 * early. */
size_t http_head_unescape(void *context, struct MHD_Connection *mhd, char *text);

#endif
