/* Private to lib/service: opens the listeners of a service. */
#ifndef SCREENING_SERVICE_APP_LISTEN_H
#define SCREENING_SERVICE_APP_LISTEN_H

#include "service/app.h"

/*
 * Opens the listeners, which report that the service is not ready until app->running is set. Ends the process
 * with exit code 2 on any failure.
 */
void app_listen(struct app *app);

#endif
