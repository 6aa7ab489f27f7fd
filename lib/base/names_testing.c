#include "base/names_testing.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/monitor.h"
#include "base/unit_testing.h"

enum { NUMBERS_MAX = 128, DEADLINE_S = 30 };

/* What every name resolves to. */
static struct {
    struct monitor monitor; /* guards the other members */
    char numbers[NUMBERS_MAX][NAMES_NUMBER_SIZE];
    int count;
    int failure;
    bool hanging;
    int look_ups;
} names;

/* One answer, which belongs to the thread that asked. */
struct answer {
    struct addrinfo infos[NUMBERS_MAX]; /* must be the first member */
    struct sockaddr_storage addresses[NUMBERS_MAX];
};

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out);
void __wrap_freeaddrinfo(struct addrinfo *answer);

static void add_info(struct answer *answer, int i)
{
    struct sockaddr_in *v4 = (void *)&answer->addresses[i];
    struct sockaddr_in6 *v6 = (void *)&answer->addresses[i];
    *v4 = (struct sockaddr_in){.sin_family = AF_INET};
    if (inet_pton(AF_INET, names.numbers[i], &v4->sin_addr) != 1) {
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
        assert_int_equal(inet_pton(AF_INET6, names.numbers[i], &v6->sin6_addr), 1);
    }
    answer->infos[i] = (struct addrinfo){.ai_addr = (void *)&answer->addresses[i],
                                         .ai_next = i + 1 < names.count ? &answer->infos[i + 1] : NULL};
}

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    (void)host;
    (void)service;
    (void)hints;
    monitor_lock(&names.monitor);
    names.look_ups++;
    monitor_notify(&names.monitor);
    while (names.hanging)
        monitor_wait(&names.monitor, INT64_MAX);
    int failure = names.failure;
    if (failure == 0) {
        struct answer *answer = calloc(1, sizeof *answer);
        assert_non_null(answer);
        for (int i = 0; i < names.count; i++)
            add_info(answer, i);
        *out = answer->infos;
    }
    monitor_unlock(&names.monitor);
    return failure;
}

void __wrap_freeaddrinfo(struct addrinfo *answer)
{
    free(answer);
}

void names_define(const char *numbers)
{
    monitor_lock(&names.monitor);
    names.count = 0;
    for (const char *rest = numbers; rest[0] != '\0'; rest += strspn(rest, " ")) {
        assert_true(names.count < NUMBERS_MAX);
        int length = (int)strcspn(rest, " ");
        (void)snprintf(names.numbers[names.count++], NAMES_NUMBER_SIZE, "%.*s", length, rest);
        rest += length;
    }
    names.failure = names.count == 0 ? EAI_NONAME : 0;
    monitor_unlock(&names.monitor);
}

void names_init(void)
{
    monitor_init(&names.monitor);
    names.failure = EAI_NONAME;
}

void names_hang(bool hanging)
{
    monitor_lock(&names.monitor);
    names.hanging = hanging;
    monitor_notify(&names.monitor);
    monitor_unlock(&names.monitor);
}

int names_look_ups(void)
{
    monitor_lock(&names.monitor);
    int count = names.look_ups;
    monitor_unlock(&names.monitor);
    return count;
}

void names_wait_for_look_ups(int count)
{
    int64_t until_ns = clock_monotonic_ns() + DEADLINE_S * (int64_t)NS_PER_S;
    monitor_lock(&names.monitor);
    while (names.look_ups < count)
        assert_true(monitor_wait(&names.monitor, until_ns));
    monitor_unlock(&names.monitor);
}
