/* Private to http.c: what may not be in the head of a request. */
#ifndef SCREENING_GATEWAY_SVC_HTTP_HEAD_H
#define SCREENING_GATEWAY_SVC_HTTP_HEAD_H

#include <microhttpd.h>
#include <stddef.h>

/*
 * What makes the head one that somebody in front of us may have read in another way, for people; NULL if
 * there is nothing. `version`: "HTTP/1.1".
 * What libmicrohttpd hides from it, http_wire.h sees.
 */
const char *http_head_problem(struct MHD_Connection *mhd, const char *version);

/* The length of the body as the head tells it; 0 if it does not. */
unsigned long long http_head_length(struct MHD_Connection *mhd);

/* For MHD_OPTION_UNESCAPE_CALLBACK: text with %00 is left as it is, so that no path and no parameter ends
 * before its end. */
size_t http_head_unescape(void *context, struct MHD_Connection *mhd, char *text);

#endif
