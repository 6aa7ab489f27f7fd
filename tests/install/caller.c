/*
 * Looks up a hospital for each line that it reads, and prints the outcome: CODE SENT REASON. A stand-alone
 * program, built only against the installed library.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "screening/client.h"

int main(int argc, char **argv)
{
    if (argc != 3 || strcmp(SCREENING_CLIENT_VERSION, screening_client_version()) != 0)
        return 2;
    const struct screening_options options = {.address = argv[1], .timeout_ms = 20000};
    struct screening_client *client = screening_client_open(&options, NULL);
    if (client == NULL)
        return 2;
    printf("processors %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    char line[16];
    while (fflush(stdout) == 0 && fgets(line, sizeof line, stdin) != NULL) {
        Screening__V1__GetHospitalRequest request = SCREENING__V1__GET_HOSPITAL_REQUEST__INIT;
        Screening__V1__Hospital *hospital = NULL;
        struct screening_error error;
        request.hospital_id = argv[2];
        enum screening_code code = screening_get_hospital(client, &request, &hospital, &error);
        printf("%s %d %s\n", screening_code_name(code), error.sent, error.reason);
        if (hospital != NULL)
            screening__v1__hospital__free_unpacked(hospital, NULL);
    }
    screening_client_close(client);
    return 0;
}
