#include "options.h"

#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address_list.h"
#include "client/address.h"

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

/* Parses one address or several, separated by commas. */
static bool read_addresses(const char *value, struct address_list *out)
{
    return address_list_parse(value, ADDRESS_TCP | ADDRESS_TLS | ADDRESS_IPC, out, NULL) == STATUS_OK;
}

static bool has_port(const char *text)
{
    enum { PORT_MAX = 65535 };
    const char *colon = strrchr(text, ':');
    uint32_t port;
    return colon != NULL && colon > text && number_read(colon + 1, PORT_MAX, &port) && port > 0;
}

bool options_check_environment(const struct session *session)
{
    struct address_list list;
    for (int i = 0; i < PEER_COUNT; i++) {
        const char *value = getenv(PEERS[i].environment);
        if (value != NULL && session->addresses[i] == value && !read_addresses(value, &list)) {
            usage_error(NULL, "%s %s: must be tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc://PATH",
                        PEERS[i].environment, value);
            return false;
        }
    }
    const char *insecure = getenv("SCREENING_INSECURE");
    if (insecure != NULL && insecure[0] != '\0' && strcmp(insecure, "true") != 0 &&
        strcmp(insecure, "false") != 0) {
        usage_error(NULL, "SCREENING_INSECURE %s: must be true or false", insecure);
        return false;
    }
    for (int i = 0; i < WEB_COUNT; i++) {
        if (session->webs[i][0] != '\0' && !has_port(session->webs[i])) {
            usage_error(NULL, "%s %s: must be HOST:PORT, or empty", WEBS[i].environment, session->webs[i]);
            return false;
        }
    }
    return true;
}

/* Returns whether one of the addresses is open (client/address.h). Sets *tls if one is for TLS. */
static bool has_open_address(const struct address_list *list, bool *tls)
{
    bool open = false;
    for (size_t i = 0; i < list->count; i++) {
        struct address address;
        if (!address_parse(list->items[i].text, &address)) /* read_addresses allows nothing else */
            return true;
        *tls = *tls || address.tls;
        open = open || address_is_open(&address);
    }
    return open;
}

bool options_check_addresses(const struct session *session, const struct command *command)
{
    bool tls = false;
    for (int i = 0; i < PEER_COUNT; i++) {
        struct address_list list;
        const char *value = session->addresses[i], *environment = getenv(PEERS[i].environment);
        const char *named_by =
            environment != NULL && value == environment ? PEERS[i].environment : PEERS[i].option;
        if (!read_addresses(value, &list)) /* checked before */
            return false;
        if (has_open_address(&list, &tls) && !session->insecure) {
            usage_error(command,
                        "%s %s: is not on this machine, and others could read the token and the answers: use "
                        "tls+tcp://HOST:PORT, or give --insecure",
                        named_by, value);
            return false;
        }
    }
    if (session->tls_ca_given && !tls) {
        usage_error(command, "--tls-ca: is for addresses tls+tcp://HOST:PORT, and no address is one");
        return false;
    }
    return true;
}

/*
 * Returns the peer whose address the option `name` sets, or PEER_COUNT if it sets none. After the command,
 * the short names denote ids, not addresses.
 */
static enum peer_name address_option(const char *name, bool before_command)
{
    int i = 0;
    while (i < PEER_COUNT && strcmp(name, PEERS[i].option) != 0 &&
           !(before_command && strcmp(name, PEERS[i].short_option) == 0))
        i++;
    return (enum peer_name)i;
}

/* Returns the program whose address the option `name` sets, or WEB_COUNT if it sets none. */
static enum web_name web_option(const char *name)
{
    int i = 0;
    while (i < WEB_COUNT && strcmp(name, WEBS[i].option) != 0)
        i++;
    return (enum web_name)i;
}

/* ---- one option ---- */

static bool take_switch(struct session *session, const char *name)
{
    if (strcmp(name, "--json") == 0) {
        session->json = true;
        return true;
    }
    if (strcmp(name, "--insecure") == 0) {
        session->insecure = true;
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
    struct address_list list;
    if (!read_addresses(value, &list)) {
        usage_error(command, "%s %s: must be tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc://PATH",
                    PEERS[peer].option, value);
        return OPTION_WRONG;
    }
    session->addresses[peer] = value;
    return OPTION_VALUE;
}

static enum option_result take_web(struct session *session, const struct command *command, enum web_name web,
                                   const char *value)
{
    if (value[0] != '\0' && !has_port(value)) {
        usage_error(command, "%s %s: must be HOST:PORT, or empty", WEBS[web].option, value);
        return OPTION_WRONG;
    }
    session->webs[web] = value;
    session->web_named[web] = true;
    return OPTION_VALUE;
}

enum option_result options_take(struct session *session, const struct command *command, const char *name,
                                const char *value)
{
    if (take_switch(session, name))
        return OPTION_SWITCH;
    enum peer_name peer = address_option(name, command == NULL);
    bool timeout = strcmp(name, "--timeout") == 0, zone = strcmp(name, "--time-zone") == 0;
    bool token = strcmp(name, "--token-file") == 0, tls = strcmp(name, "--tls-ca") == 0;
    enum web_name web = web_option(name);
    if (peer == PEER_COUNT && !timeout && !zone && !token && !tls && web == WEB_COUNT)
        return OPTION_OTHER;
    if (value == NULL) {
        usage_error(command, "%s: missing value", name);
        return OPTION_WRONG;
    }
    if (timeout)
        return take_timeout(session, command, value);
    if (web != WEB_COUNT)
        return take_web(session, command, web, value);
    if (zone) {
        session->time_zone = value;
        return OPTION_VALUE;
    }
    if (token) {
        session->token_path = value;
        session->token_named_by = "--token-file";
        return OPTION_VALUE;
    }
    if (tls) {
        session->tls_ca = value;
        session->tls_ca_given = true;
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
    for (int i = 0; i < WEB_COUNT; i++) {
        int used = (int)(strlen("   HOST:PORT") + strlen(WEBS[i].option));
        printf(_("  %s HOST:PORT%*s%s, for health (environment\n%*s%s, default %s)\n"), WEBS[i].option,
               OPTION_COLUMNS - used, "", _(WEBS[i].meaning), OPTION_COLUMNS, "", WEBS[i].environment,
               WEBS[i].address);
    }
    printf(_("  --time-zone ZONE        the clinic's time zone, in which times are shown\n"
             "                          (environment SCREENING_TIME_ZONE, default Asia/Seoul)\n"
             "  --token-file FILE       the token to send with calls, empty = none (environment\n"
             "                          SCREENING_TOKEN_FILE, default ~/.config/screening/token)\n"
             "  --tls-ca FILE           certificates of the authorities that tls+tcp addresses\n"
             "                          may rely on (environment SCREENING_TLS_CA)\n"
             "  --insecure              also call other machines at tcp addresses, where others\n"
             "                          can read tokens and answers (environment\n"
             "                          SCREENING_INSECURE)\n"
             "  --timeout MS            budget of each call in ms, 1 to %d, including\n"
             "                          retries (default %d)\n"
             "  --json                  print the answer as one JSON document\n"
             "  -h, --help              this text, or the usage of a command\n"
             "  -v, --version           the program's version\n"
             "\n--NAME=VALUE is the same as --NAME VALUE. Before the command, --hospital,\n"
             "--booking and --history set addresses as well.\n"
             "A DATE is YYYY-MM-DD, or +N for N days from today. A HOSPITAL is an id, the\n"
             "beginning of an id, or a name; it must match exactly one hospital.\n"
             "Exit codes: 0 done, 1 refused or failed, 2 wrong usage.\n"),
           TIMEOUT_MAX_MS, TIMEOUT_DEFAULT_MS);
}
