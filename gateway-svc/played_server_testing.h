/* Private to the fuzzers of the HTTP server: the server itself. */
#ifndef SCREENING_GATEWAY_SVC_PLAYED_SERVER_TESTING_H
#define SCREENING_GATEWAY_SVC_PLAYED_SERVER_TESTING_H

/* Opens the server on the played socket and with the played services. */
void played_server_open(void);

/* Aborts if the server still has a connection, a request, or bytes charged to a budget. */
void played_server_check_idle(void);

#endif
