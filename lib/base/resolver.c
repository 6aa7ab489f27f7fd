/*
 * Lock order: `calling`, then the monitor. Both are held to set `closing`, so one suffices to read it. The
 * resolver belongs to its owner and to its thread, and the last of the two frees it.
 */
#include "base/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/monitor.h"

enum {
    LOOK_UP_EVERY_MS = 5000,
    FAILED_LOOK_UP_EVERY_MS = 1000,
    LOOK_UP_PAUSE_MS = 500, /* the minimum time between two look-ups */
};

static struct metric failed_total =
    METRIC("name_lookups_failed_total", "Look-ups of host names that found no address");

/* ---- look-ups ---- */

bool resolved_contains(const struct resolved *resolved, const char *text)
{
    for (size_t i = 0; i < resolved->count; i++)
        if (strcmp(resolved->items[i].text, text) == 0)
            return true;
    return false;
}

/*
 * Inserts the address into the sorted addresses from index `first` on. If there is no room, keeps those that
 * come first in order, so that the result does not depend on the order of the answer.
 */
static void insert(struct resolved *resolved, size_t first, const struct resolved_address *added)
{
    if (resolved_contains(resolved, added->text))
        return;
    size_t at = first;
    while (at < resolved->count && strcmp(resolved->items[at].text, added->text) < 0)
        at++;
    if (at == RESOLVED_MAX)
        return;
    if (resolved->count < RESOLVED_MAX)
        resolved->count++;
    memmove(&resolved->items[at + 1], &resolved->items[at],
            (resolved->count - 1 - at) * sizeof resolved->items[0]);
    resolved->items[at] = *added;
}

/* Writes the address with a number as its host. Returns false for another kind of address. */
static bool write_number(const struct listed_address *address, const struct sockaddr *found,
                         char text[ADDRESS_TEXT_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    const char *scheme = address->scheme == ADDRESS_TLS ? "tls+tcp" : "tcp";
    bool v6 = found->sa_family == AF_INET6;
    if (!v6 && found->sa_family != AF_INET)
        return false;
    const void *number = v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)found)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)(const void *)found)->sin_addr;
    if (inet_ntop(found->sa_family, number, host, sizeof host) == NULL)
        return false;
    (void)snprintf(text, ADDRESS_TEXT_SIZE, v6 ? "%s://[%s]:%u" : "%s://%s:%u", scheme, host, address->port);
    return true;
}

/* Adds the addresses of the name of the part. Returns why there are none, or NULL. */
static const char *look_up(const struct listed_address *address, size_t part, struct resolved *out)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *answer;
    int failure = getaddrinfo(address->host, NULL, &hints, &answer);
    if (failure != 0)
        return gai_strerror(failure);
    size_t first = out->count;
    bool found = false;
    for (const struct addrinfo *info = answer; info != NULL; info = info->ai_next) {
        struct resolved_address added = {.part = part};
        if (write_number(address, info->ai_addr, added.text)) {
            insert(out, first, &added);
            found = true;
        }
    }
    freeaddrinfo(answer);
    return found ? NULL : gai_strerror(EAI_NONAME);
}

/* Adds the addresses that the part had. */
static void keep(const struct resolved *had, size_t part, struct resolved *out)
{
    size_t first = out->count;
    for (size_t i = 0; i < had->count; i++)
        if (had->items[i].part == part)
            insert(out, first, &had->items[i]);
}

static bool same(const struct resolved *a, const struct resolved *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->items[i].part != b->items[i].part || strcmp(a->items[i].text, b->items[i].text) != 0)
            return false;
    return true;
}

/* Adds the part, which is no name. */
static void add_given(const struct listed_address *address, size_t part, struct resolved *out)
{
    struct resolved_address given = {.part = part};
    (void)snprintf(given.text, sizeof given.text, "%s", address->text);
    insert(out, out->count, &given);
}

bool resolve(const struct address_list *list, struct resolved *io)
{
    struct resolved next = {0};
    for (size_t part = 0; part < list->count; part++) {
        const struct listed_address *address = &list->items[part];
        if (address->named)
            next.failures[part] = look_up(address, part, &next);
        else
            add_given(address, part, &next);
        if (next.failures[part] != NULL)
            keep(io, part, &next);
    }
    bool changed = !same(io, &next);
    *io = next;
    return changed;
}

/* ---- the thread ---- */

struct resolver {
    resolver_changed_fn changed;
    void *context;
    pthread_mutex_t calling; /* held while `changed` runs */
    struct monitor monitor;  /* guards `asked` and `closing` */
    bool asked;
    bool closing;
    _Atomic int owners;
    /* The following members are used by resolver_open, and then only by the thread. */
    struct address_list list;
    int64_t next_ms; /* the time of the next look-up in ms from the end of the previous one */
    struct resolved now;
    bool failing[ADDRESS_LIST_MAX]; /* whether the look-up of the part's name failed last time */
};

static void release(struct resolver *resolver)
{
    if (atomic_fetch_sub(&resolver->owners, 1) > 1)
        return;
    monitor_fini(&resolver->monitor);
    pthread_mutex_destroy(&resolver->calling);
    free(resolver);
}

/* Logs and counts the results of a look-up, and sets next_ms. */
static void note_failures(struct resolver *resolver)
{
    bool any = false;
    for (size_t part = 0; part < resolver->list.count; part++) {
        const char *failure = resolver->now.failures[part], *host = resolver->list.items[part].host;
        if (failure != NULL)
            metric_add(&failed_total, 1);
        if (failure != NULL && !resolver->failing[part])
            log_event(LOG_WARN, "names.unresolved", LOG_TEXT("host", host), LOG_TEXT("why", failure));
        if (failure == NULL && resolver->failing[part])
            log_event(LOG_INFO, "names.resolved", LOG_TEXT("host", host));
        resolver->failing[part] = failure != NULL;
        any |= failure != NULL;
    }
    resolver->next_ms = any ? FAILED_LOOK_UP_EVERY_MS : LOOK_UP_EVERY_MS;
}

/* Looks the names up and reports a change. */
static void look(struct resolver *resolver)
{
    bool changed = resolve(&resolver->list, &resolver->now);
    pthread_mutex_lock(&resolver->calling);
    if (!resolver->closing)
        note_failures(resolver);
    if (changed && !resolver->closing)
        resolver->changed(resolver->context, &resolver->now);
    pthread_mutex_unlock(&resolver->calling);
}

/* Waits for `ms`, or for LOOK_UP_PAUSE_MS once asked. Returns false if the resolver is closed. */
static bool wait_for_next(struct resolver *resolver, int64_t ms)
{
    int64_t now_ns = clock_monotonic_ns();
    int64_t pause_ns = now_ns + LOOK_UP_PAUSE_MS * (int64_t)NS_PER_MS, until_ns = now_ns + ms * NS_PER_MS;
    monitor_lock(&resolver->monitor);
    while (!resolver->closing && monitor_wait(&resolver->monitor, resolver->asked ? pause_ns : until_ns))
        ;
    resolver->asked = false;
    bool closing = resolver->closing;
    monitor_unlock(&resolver->monitor);
    return !closing;
}

static void *run(void *context)
{
    struct resolver *resolver = context;
    if (resolver->next_ms == 0)
        look(resolver);
    while (wait_for_next(resolver, resolver->next_ms))
        look(resolver);
    release(resolver);
    return NULL;
}

static struct resolver *create(const struct resolver_options *options)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == NULL)
        return NULL;
    resolver->list = *options->list;
    resolver->changed = options->changed;
    resolver->context = options->context;
    atomic_init(&resolver->owners, 2);
    pthread_mutex_init(&resolver->calling, NULL);
    monitor_init(&resolver->monitor);
    return resolver;
}

/* Finds the addresses that are no names. */
static void resolve_given(struct resolver *resolver)
{
    for (size_t part = 0; part < resolver->list.count; part++)
        if (!resolver->list.items[part].named)
            add_given(&resolver->list.items[part], part, &resolver->now);
}

static void report_first(struct resolver *resolver, bool look_up_now)
{
    if (look_up_now) {
        (void)resolve(&resolver->list, &resolver->now);
        note_failures(resolver);
    } else {
        resolve_given(resolver);
    }
    resolver->changed(resolver->context, &resolver->now);
}

static enum status start(const struct resolver_options *options, struct resolver **out, struct error *error)
{
    pthread_t thread;
    struct resolver *resolver = create(options);
    if (resolver == NULL)
        return error_no_memory(error);
    metric_register(&failed_total);
    report_first(resolver, options->now);
    if (pthread_create(&thread, NULL, run, resolver) != 0) {
        atomic_store(&resolver->owners, 1);
        release(resolver);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "no thread to resolve names");
    }
    pthread_detach(thread);
    *out = resolver;
    return STATUS_OK;
}

enum status resolver_open(const struct resolver_options *options, struct resolver **out, struct error *error)
{
    for (size_t part = 0; part < options->list->count; part++)
        if (options->list->items[part].named)
            return start(options, out, error);
    struct resolved now = {0};
    (void)resolve(options->list, &now);
    *out = NULL;
    options->changed(options->context, &now);
    return STATUS_OK;
}

void resolver_ask(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    monitor_lock(&resolver->monitor);
    resolver->asked = true;
    monitor_notify(&resolver->monitor);
    monitor_unlock(&resolver->monitor);
}

void resolver_close(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    pthread_mutex_lock(&resolver->calling);
    monitor_lock(&resolver->monitor);
    resolver->closing = true;
    monitor_notify(&resolver->monitor);
    monitor_unlock(&resolver->monitor);
    pthread_mutex_unlock(&resolver->calling);
    release(resolver);
}
