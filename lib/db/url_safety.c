#include "db/url_safety.h"

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/secret_file.h"
#include "db/driver.h"

enum { LOOPBACK_NET = 127, NET_SHIFT = 24, HOST_SIZE = 256, PASSFILE_MAX_BYTES = 65536 };

/* ---- what libpq uses ---- */

/* The options of a PostgreSQL URL and, for those that it does not have, of the environment. */
struct options {
    PQconninfoOption *url, *others; /* NULL for a SQLite URL, or when out of memory */
};

static struct options read_options(const char *url)
{
    struct options options = {0};
    if (db_url_sqlite_path(url) == NULL)
        options = (struct options){PQconninfoParse(url, NULL), PQconndefaults()};
    return options;
}

static void free_options(struct options *options)
{
    PQconninfoFree(options->url);
    PQconninfoFree(options->others);
}

static const char *find(const PQconninfoOption *options, const char *keyword)
{
    for (; options != NULL && options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val;
    return NULL;
}

static bool is_given(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* Returns the value that libpq uses, which is NULL or empty if there is none. An empty one in the URL counts.
 */
static const char *value_of(const struct options *options, const char *keyword)
{
    const char *value = find(options->url, keyword);
    return value != NULL ? value : find(options->others, keyword);
}

bool db_url_has_password(const char *url)
{
    struct options options = read_options(url);
    bool has = is_given(find(options.url, "password")) || is_given(find(options.url, "sslpassword"));
    free_options(&options);
    return has;
}

bool db_url_takes_password_from_environment(const char *url)
{
    struct options options = read_options(url);
    bool takes = is_given(find(options.others, "password"));
    free_options(&options);
    return takes;
}

/* ---- transport ---- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> NET_SHIFT == LOOPBACK_NET;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* An empty name, a path and a name with @ stand for Unix sockets. */
static bool is_local(const char *host)
{
    return host[0] == '\0' || host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0 ||
           is_loopback(host);
}

/* Takes the next name of a comma-separated list from *list, which is then NULL after the last. Cuts long
 * ones. */
static void take_name(const char **list, char out[HOST_SIZE])
{
    const char *name = *list != NULL ? *list : "";
    size_t length = strcspn(name, ",");
    size_t kept = length < HOST_SIZE ? length : HOST_SIZE - 1;
    memcpy(out, name, kept);
    out[kept] = '\0';
    *list = name[length] == ',' ? name + length + 1 : NULL;
}

/*
 * Copies the first name or address that libpq connects to and that is not local: of each pair the address, or
 * the name if the address is empty. Returns false if there is none. A name that was cut is not local.
 */
static bool find_remote(const struct options *options, char out[HOST_SIZE])
{
    const char *names = value_of(options, "host"), *addresses = value_of(options, "hostaddr");
    do {
        char name[HOST_SIZE], address[HOST_SIZE];
        take_name(&names, name);
        take_name(&addresses, address);
        memcpy(out, address[0] != '\0' ? address : name, HOST_SIZE);
        if (!is_local(out))
            return true;
    } while (names != NULL || addresses != NULL);
    return false;
}

/* Returns the names or addresses that libpq connects to. hostaddr replaces host. */
static const char *hosts_of(const struct options *options)
{
    const char *hosts = value_of(options, "hostaddr");
    if (!is_given(hosts))
        hosts = value_of(options, "host");
    return hosts != NULL ? hosts : "";
}

static bool is_verified(const char *sslmode)
{
    return sslmode != NULL && strcmp(sslmode, "verify-full") == 0;
}

/* Only an option of the URL has precedence over one of a service file, so the environment counts for nothing.
 */
static enum status check_service(const struct options *options, const char *service, struct error *error)
{
    if (is_verified(find(options->url, "sslmode")))
        return STATUS_OK;
    return error_invalid(error,
                         "database: the service %s may lead to another machine: the URL needs "
                         "sslmode=verify-full",
                         service);
}

static enum status check_hosts(const struct options *options, struct error *error)
{
    char host[HOST_SIZE];
    if (is_verified(value_of(options, "sslmode")) || !find_remote(options, host))
        return STATUS_OK;
    return error_invalid(error, "database: %s is not this machine: the URL needs sslmode=verify-full", host);
}

enum status db_url_check_transport(const char *url, struct error *error)
{
    struct options options = read_options(url);
    const char *service = value_of(&options, "service");
    enum status status = options.url == NULL ? STATUS_OK
                         : is_given(service) ? check_service(&options, service, error)
                                             : check_hosts(&options, error);
    free_options(&options);
    return status;
}

bool db_url_has_several_hosts(const char *url)
{
    struct options options = read_options(url);
    bool several = options.url != NULL && strchr(hosts_of(&options), ',') != NULL;
    free_options(&options);
    return several;
}

/* ---- the file of passwords ---- */

enum status db_url_check_passfile(const char *url, struct error *error)
{
    struct options options = read_options(url);
    const char *path = find(options.url, "passfile");
    enum status status = STATUS_OK;
    if (is_given(path)) {
        struct secret_file file = {0};
        status = secret_file_open("database: passfile", path, PASSFILE_MAX_BYTES, &file, error);
        secret_file_close(&file);
    }
    free_options(&options);
    return status;
}

/* Takes the next field of a line of the file from *rest, without the backslashes that quote. */
static char *take_field(char **rest)
{
    char *field = *rest, *to = field;
    while (**rest != '\0' && **rest != ':') {
        if (**rest == '\\' && (*rest)[1] != '\0')
            (*rest)++;
        *to++ = *(*rest)++;
    }
    if (**rest == ':')
        (*rest)++;
    *to = '\0';
    return field;
}

static bool is_well_known(const char *user, const char *password)
{
    static const char *const KNOWN[] = {"",         "postgres",  "postgresql", "password",  "passwort",
                                        "passw0rd", "secret",    "changeme",   "change-me", "admin",
                                        "root",     "test",      "example",    "default",   "screening",
                                        "123456",   "123456789", "qwerty"};
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
        if (strcasecmp(password, KNOWN[i]) == 0)
            return true;
    return strcasecmp(password, user) == 0;
}

/*
 * Returns the number of the first line with a well-known password, such as the name of the line's user or of
 * `user`, or 0 if there is none. Changes the text.
 */
static int find_well_known(char *text, const char *user)
{
    enum { HOST, PORT, DATABASE, USER, PASSWORD, FIELDS };
    int number = 0;
    for (char *line = strsep(&text, "\n"); line != NULL; line = strsep(&text, "\n")) {
        char *fields[FIELDS];
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        for (int i = 0; i < FIELDS; i++)
            fields[i] = take_field(&line);
        if (is_well_known(fields[USER], fields[PASSWORD]) || strcasecmp(fields[PASSWORD], user) == 0)
            return number;
    }
    return 0;
}

enum status db_url_check_well_known(const char *url, struct error *error)
{
    struct options options = read_options(url);
    const char *path = find(options.url, "passfile");
    const char *user = value_of(&options, "user");
    struct secret_file file = {0};
    struct error unread;
    enum status status = STATUS_OK;
    int line = 0;
    if (is_given(path) && secret_file_open("passfile", path, PASSFILE_MAX_BYTES, &file, &unread) == STATUS_OK)
        line = find_well_known(file.bytes, user != NULL ? user : "");
    if (line > 0)
        status = error_invalid(error, "database: passfile: %s: line %d: a well-known password", path, line);
    secret_file_close(&file);
    free_options(&options);
    return status;
}
