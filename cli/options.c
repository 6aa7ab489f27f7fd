#include "options.h"

#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *option_split(char *word)
{
    char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    if (equals == NULL)
        return NULL;
    *equals = '\0';
    return equals + 1;
}

bool option_is(const char *word)
{
    bool letter = (word[1] >= 'a' && word[1] <= 'z') || (word[1] >= 'A' && word[1] <= 'Z');
    return word[0] == '-' && (word[1] == '-' || letter);
}

/* ---- addresses ---- */

static bool has_port(const char *text)
{
    enum { PORT_MAX = 65535 };
    const char *colon = strrchr(text, ':');
    uint32_t port;
    return colon != NULL && colon > text && number_read(colon + 1, PORT_MAX, &port) && port > 0;
}

static bool is_address(const char *text)
{
    enum { SCHEME_LENGTH = 6 };
    if (strncmp(text, "ipc://", SCHEME_LENGTH) == 0)
        return text[SCHEME_LENGTH] != '\0';
    return strncmp(text, "tcp://", SCHEME_LENGTH) == 0 && has_port(text + SCHEME_LENGTH);
}

bool options_check_environment(const struct session *session)
{
    for (int i = 0; i < PEER_COUNT; i++) {
        const char *value = getenv(PEERS[i].environment);
        if (value != NULL && session->addresses[i] == value && !is_address(value)) {
            usage_error(NULL, "%s %s: must be tcp://HOST:PORT or ipc://PATH", PEERS[i].environment, value);
            return false;
        }
    }
    if (session->gateway[0] != '\0' && !has_port(session->gateway)) {
        usage_error(NULL, "%s %s: must be HOST:PORT, or empty", GATEWAY_ENVIRONMENT, session->gateway);
        return false;
    }
    return true;
}

/* Returns the peer whose address the option `name` sets. After a command the short names mean ids instead. */
static enum peer_name address_option(const char *name, bool before_command)
{
    int i = 0;
    while (i < PEER_COUNT && strcmp(name, PEERS[i].option) != 0 &&
           !(before_command && strcmp(name, PEERS[i].short_option) == 0))
        i++;
    return (enum peer_name)i;
}

/* ---- one option ---- */

static bool take_switch(struct session *session, const char *name)
{
    if (strcmp(name, "--json") == 0) {
        session->json = true;
        return true;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        session->help = true;
        return true;
    }
    return false;
}

static enum option_result take_timeout(struct session *session, const struct command *command,
                                       const char *value)
{
    uint32_t timeout_ms;
    if (!number_read(value, TIMEOUT_MAX_MS, &timeout_ms) || timeout_ms == 0) {
        usage_error(command, "--timeout %s: must be 1 to %d ms", value, TIMEOUT_MAX_MS);
        return OPTION_WRONG;
    }
    session->timeout_ms = timeout_ms;
    return OPTION_VALUE;
}

static enum option_result take_address(struct session *session, const struct command *command,
                                       enum peer_name peer, const char *value)
{
    if (!is_address(value)) {
        usage_error(command, "%s %s: must be tcp://HOST:PORT or ipc://PATH", PEERS[peer].option, value);
        return OPTION_WRONG;
    }
    session->addresses[peer] = value;
    return OPTION_VALUE;
}

static enum option_result take_gateway(struct session *session, const struct command *command,
                                       const char *value)
{
    if (value[0] != '\0' && !has_port(value)) {
        usage_error(command, "%s %s: must be HOST:PORT, or empty", GATEWAY_OPTION, value);
        return OPTION_WRONG;
    }
    session->gateway = value;
    session->gateway_named = true;
    return OPTION_VALUE;
}

enum option_result options_take(struct session *session, const struct command *command, const char *name,
                                const char *value)
{
    if (take_switch(session, name))
        return OPTION_SWITCH;
    enum peer_name peer = address_option(name, command == NULL);
    bool timeout = strcmp(name, "--timeout") == 0, zone = strcmp(name, "--time-zone") == 0;
    bool gateway = strcmp(name, GATEWAY_OPTION) == 0;
    if (peer == PEER_COUNT && !timeout && !zone && !gateway)
        return OPTION_OTHER;
    if (value == NULL) {
        usage_error(command, "%s: missing value", name);
        return OPTION_WRONG;
    }
    if (timeout)
        return take_timeout(session, command, value);
    if (gateway)
        return take_gateway(session, command, value);
    if (zone) {
        session->time_zone = value;
        return OPTION_VALUE;
    }
    return take_address(session, command, peer, value);
}

void options_print_help(void)
{
    enum { OPTION_COLUMNS = 26 };
    puts(_("\noptions, before or after the command:"));
    for (int i = 0; i < PEER_COUNT; i++) {
        int used = (int)(strlen("   ADDRESS") + strlen(PEERS[i].option));
        printf(_("  %s ADDRESS%*s%s (environment %s,\n%*sdefault %s)\n"), PEERS[i].option,
               OPTION_COLUMNS - used, "", PEERS[i].program, PEERS[i].environment, OPTION_COLUMNS, "",
               PEERS[i].address);
    }
    printf(_("  %s HOST:PORT %s's ops port, for health (environment\n"
             "                          %s, default %s)\n"),
           GATEWAY_OPTION, GATEWAY_PROGRAM, GATEWAY_ENVIRONMENT, GATEWAY_ADDRESS);
    printf(_("  --time-zone ZONE        the clinic's time zone, in which times are shown\n"
             "                          (environment SCREENING_TIME_ZONE, default Asia/Seoul)\n"
             "  --timeout MS            of each call, 1 to %d, repeats included (default %d)\n"
             "  --json                  answers as JSON, one document\n"
             "  -h, --help              this text, or what a command takes\n"
             "  -v, --version           the program's version\n"
             "\n--NAME=VALUE is the same as --NAME VALUE. Before the command --hospital,\n"
             "--booking and --history name addresses as well.\n"
             "A DATE is YYYY-MM-DD, or +N for N days from today. A HOSPITAL is an id, the\n"
             "beginning of one, or a name, as far as it means one hospital only.\n"
             "Exit codes: 0 done, 1 refused or failed, 2 wrong usage.\n"),
           TIMEOUT_MAX_MS, TIMEOUT_DEFAULT_MS);
}
