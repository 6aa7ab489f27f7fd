/* Sets a day's capacity to 0, first by omitting it, then explicitly. A stand-alone program, like caller.c. */
#include <stdio.h>
#include <stdlib.h>

#include "screening/client.h"

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const struct screening_options options = {
        .address = argv[1], .timeout_ms = 20000, .token_file = getenv("SCREENING_TOKEN_FILE")};
    struct screening_client *client = screening_client_open(&options, NULL);
    if (client == NULL)
        return 2;
    Screening__V1__SetCapacityRequest request = SCREENING__V1__SET_CAPACITY_REQUEST__INIT;
    request.hospital_id = argv[2];
    request.date = argv[3];
    for (int given = 0; given < 2; given++) {
        Screening__V1__ScreeningDay *day = NULL;
        struct screening_error error;
        if (given)
            request.capacity_presence_case = SCREENING__V1__SET_CAPACITY_REQUEST__CAPACITY_PRESENCE_CAPACITY;
        enum screening_code code = screening_set_capacity(client, &request, &day, &error);
        printf("%s %s\n", screening_code_name(code), error.message);
        if (day != NULL)
            screening__v1__screening_day__free_unpacked(day, NULL);
    }
    screening_client_close(client);
    return 0;
}
