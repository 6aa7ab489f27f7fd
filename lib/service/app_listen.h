/* The listeners of a service. Private to lib/service. */
#ifndef SCREENING_SERVICE_APP_LISTEN_H
#define SCREENING_SERVICE_APP_LISTEN_H

#include "service/app.h"

/*
 * Opens the listeners, which report that the service is not ready until app->running. Any failure ends the
 * process with exit code 2.
 */
void app_listen(struct app *app);

#endif
