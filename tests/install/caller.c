/*
 * Looks up the hospital argv[2] at the service address argv[1] once for each line of standard input, and
 * prints the outcome: CODE SENT REASON, and the message of a refusal that was not sent. Sends the token of
 * the file argv[3], if given and not "". Trusts the authorities in the file argv[4], if given and not "".
 * If argv[5] is given, the token may be sent in clear text. A stand-alone program, built only against the
 * installed library.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "screening/client.h"

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 6 || strcmp(SCREENING_CLIENT_VERSION, screening_client_version()) != 0)
        return 2;
    const struct screening_options options = {
        .address = argv[1],
        .timeout_ms = 20000,
        .token_file = argc > 3 && argv[3][0] != '\0' ? argv[3] : NULL,
        .tls_ca_file = argc > 4 && argv[4][0] != '\0' ? argv[4] : NULL,
        .insecure = argc > 5,
    };
    struct screening_error refusal;
    struct screening_client *client = screening_client_open(&options, &refusal);
    if (client == NULL) {
        fprintf(stderr, "%s\n", refusal.message);
        return 2;
    }
    printf("processors %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    char line[16];
    while (fflush(stdout) == 0 && fgets(line, sizeof line, stdin) != NULL) {
        Screening__V1__GetHospitalRequest request = SCREENING__V1__GET_HOSPITAL_REQUEST__INIT;
        Screening__V1__Hospital *hospital = NULL;
        struct screening_error error;
        request.hospital_id = argv[2];
        enum screening_code code = screening_get_hospital(client, &request, &hospital, &error);
        printf("%s %d %s%s\n", screening_code_name(code), error.sent, error.reason,
               error.sent ? "" : error.message);
        if (hospital != NULL)
            screening__v1__hospital__free_unpacked(hospital, NULL);
    }
    screening_client_close(client);
    return 0;
}
