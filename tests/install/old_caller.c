/*
 * Opens a client as a program does that was built before the options had a token file: without the header,
 * with the options of that time, and with bytes behind them that are no pointer. Looks up one hospital.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct old_options {
    const char *address;
    uint32_t timeout_ms;
    const char *authorization;
};

struct screening_client *screening_client_open(const struct old_options *options, void *error);
void screening_client_close(struct screening_client *client);

int main(int argc, char **argv)
{
    struct {
        struct old_options options;
        unsigned char behind[128];
    } memory;
    if (argc != 2)
        return 2;
    memset(&memory, 0xa5, sizeof memory);
    memory.options = (struct old_options){.address = argv[1], .authorization = "Bearer old"};
    struct screening_client *client = screening_client_open(&memory.options, NULL);
    printf("%s\n", client != NULL ? "opened" : "refused");
    screening_client_close(client);
    return 0;
}
