/*
 * Each log has at most one Fetch in flight. The mutex guards `answered`, `bytes` and `size` of every log,
 * which nng's threads write. It is not held while a Fetch is sent, because a failed send calls the closure at
 * once.
 */
#include "event_follow.h"

#include "client.h"
#include "message.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/uuid.h"

enum { WAIT_MS = 10000, ANSWER_MS = 5000, PAUSE_MS = 1000, LOOK_MS = 100 };

struct follow;

struct log {
    struct rpc_client_call call; /* first member: the closure's data */
    struct follow *follow;
    struct rpc_client *client;
    enum peer_name peer;
    Screening__V1__FetchRequest request;
    char last_event_id[UUID_TEXT_SIZE];
    uint64_t end_seq; /* where `once` ends; set by the first response */
    int64_t ask_at_ns;
    bool wanted;
    bool at_head; /* the head is not known yet */
    bool asked;
    bool heard; /* had a response */
    bool lost;  /* its service is unreachable, and the user was told */
    bool answered;
    uint8_t *bytes; /* the packed response; NULL: see call.error */
    size_t size;
};

struct follow {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    struct session *session;
    bool once;
    event_take_fn take;
    void *context;
    struct arena arena; /* holds the current response */
    struct log logs[PEER_COUNT];
};

/* ---- requests ---- */

static void on_answer(const Screening__V1__FetchResponse *response, void *closure_data)
{
    struct log *log = closure_data;
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (response != NULL) {
        size = screening__v1__fetch_response__get_packed_size(response);
        bytes = malloc(size > 0 ? size : 1);
        if (bytes != NULL)
            screening__v1__fetch_response__pack(response, bytes);
        else
            error_set(&log->call.error, STATUS_RESOURCE_EXHAUSTED, NULL, _("out of memory"));
    }
    pthread_mutex_lock(&log->follow->mutex);
    log->bytes = bytes;
    log->size = size;
    log->answered = true;
    pthread_cond_signal(&log->follow->answered);
    pthread_mutex_unlock(&log->follow->mutex);
}

static void ask(struct log *log)
{
    struct follow *follow = log->follow;
    bool wait = !follow->once && !log->at_head;
    log->asked = true;
    log->call =
        (struct rpc_client_call){.timeout_ms = wait ? WAIT_MS + ANSWER_MS : follow->session->timeout_ms};
    log->request.wait_ms = wait ? WAIT_MS : 0;
    log->request.max_events = log->at_head ? 1 : 0;
    log->request.after_event_id = log->last_event_id;
    log->request.subscriber = "screenctl";
    screening__v1__event_log_service__fetch(rpc_client_service(log->client), &log->request, on_answer, log);
}

/* Sends the due requests; returns whether more events may come. */
static bool ask_all(struct follow *follow)
{
    bool more = false;
    for (int i = 0; i < PEER_COUNT; i++) {
        struct log *log = &follow->logs[i];
        if (log->wanted && !log->asked && clock_monotonic_ns() >= log->ask_at_ns)
            ask(log);
        more = more || log->wanted;
    }
    return more;
}

/* Waits for a response, but only briefly: a pause may end in the meantime. */
static struct log *next_answer(struct follow *follow)
{
    struct log *found = NULL;
    int64_t end_ns = clock_monotonic_ns() + (int64_t)LOOK_MS * NS_PER_MS;
    const int64_t ns_per_s = (int64_t)NS_PER_MS * MS_PER_S;
    const struct timespec end = {.tv_sec = end_ns / ns_per_s, .tv_nsec = (long)(end_ns % ns_per_s)};
    pthread_mutex_lock(&follow->mutex);
    for (int waited = 0; found == NULL && waited < 2; waited++) {
        for (int i = 0; found == NULL && i < PEER_COUNT; i++)
            found = follow->logs[i].answered ? &follow->logs[i] : NULL;
        if (found == NULL && waited == 0)
            pthread_cond_timedwait(&follow->answered, &follow->mutex, &end);
    }
    if (found != NULL)
        found->answered = false;
    pthread_mutex_unlock(&follow->mutex);
    return found;
}

/* ---- responses ---- */

static void move_on(struct log *log, const Screening__V1__FetchResponse *response)
{
    if (!log->heard) {
        log->end_seq = response->head_seq;
        log->heard = true;
    }
    if (log->at_head) {
        log->request.after_seq = response->head_seq;
        log->at_head = false;
    } else if (response->n_events > 0) {
        const Screening__V1__Event *last = response->events[response->n_events - 1];
        log->request.after_seq = last->seq;
        snprintf(log->last_event_id, sizeof log->last_event_id, "%s", last->event_id);
    }
    bool at_end = log->request.after_seq >= log->end_seq || response->n_events == 0;
    log->wanted = !(log->follow->once && at_end);
}

/* Waits for a service that is temporarily unreachable, except with `once`. */
static enum status endure(struct log *log, struct error *error)
{
    *error = log->call.error;
    if (log->follow->once || !status_is_transient(error->status))
        return error->status;
    if (!log->lost && error->status == STATUS_UNAVAILABLE) {
        fprintf(stderr, _("screenctl: %s at %s is away: waiting for it\n"), PEERS[log->peer].program,
                log->follow->session->addresses[log->peer]);
        log->lost = true;
    }
    log->ask_at_ns = clock_monotonic_ns() + (int64_t)PAUSE_MS * NS_PER_MS;
    return STATUS_OK;
}

/* Sets *enough if `take` wants no more events. */
static enum status use_answer(struct log *log, bool *enough, struct error *error)
{
    struct follow *follow = log->follow;
    log->asked = false;
    if (log->bytes == NULL)
        return endure(log, error);
    arena_reset(&follow->arena);
    const Screening__V1__FetchResponse *response =
        screening__v1__fetch_response__unpack(arena_allocator(&follow->arena), log->size, log->bytes);
    free(log->bytes);
    log->bytes = NULL;
    if (response == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, _("out of memory"));
    log->lost = false;
    bool only_the_head = log->at_head;
    move_on(log, response);
    *enough = !only_the_head && response->n_events > 0 && !follow->take(follow->context, log->peer, response);
    return STATUS_OK;
}

static enum status run(struct follow *follow, struct error *error)
{
    bool enough = false;
    while (!enough && ask_all(follow)) {
        struct log *log = next_answer(follow);
        if (log != NULL && use_answer(log, &enough, error) != STATUS_OK)
            return error->status;
    }
    return STATUS_OK;
}

/* ---- begin and end ---- */

static enum status open_log(struct follow *follow, enum peer_name peer, const struct event_start *start,
                            struct error *error)
{
    struct log *log = &follow->logs[peer];
    TRY(client_connect(follow->session, peer, error));
    log->client =
        rpc_client_create(follow->session->channels[peer], &screening__v1__event_log_service__descriptor);
    if (log->client == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, _("out of memory"));
    screening__v1__fetch_request__init(&log->request);
    log->request.after_seq = start->after_seq;
    log->follow = follow;
    log->peer = peer;
    log->at_head = start->at_head;
    log->wanted = true;
    return STATUS_OK;
}

static enum status open_all(struct follow *follow, const struct event_start starts[PEER_COUNT],
                            struct error *error)
{
    for (int i = 0; i < PEER_COUNT; i++)
        if (starts[i].wanted)
            TRY(open_log(follow, (enum peer_name)i, &starts[i], error));
    return STATUS_OK;
}

/* Closing a channel ends its Fetch in flight. */
static void close_all(struct follow *follow)
{
    for (int i = 0; i < PEER_COUNT; i++) {
        struct log *log = &follow->logs[i];
        if (log->client == NULL)
            continue;
        rpc_channel_close(follow->session->channels[i]);
        follow->session->channels[i] = NULL;
        rpc_client_destroy(log->client);
        free(log->bytes);
    }
}

enum status event_follow(struct session *session, const struct event_start starts[PEER_COUNT], bool once,
                         event_take_fn take, void *context, struct error *error)
{
    struct follow follow = {.session = session, .once = once, .take = take, .context = context};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&follow.mutex, NULL);
    pthread_cond_init(&follow.answered, &attributes);
    pthread_condattr_destroy(&attributes);
    arena_init(&follow.arena);
    enum status status = open_all(&follow, starts, error);
    if (status == STATUS_OK)
        status = run(&follow, error);
    close_all(&follow);
    arena_fini(&follow.arena);
    pthread_cond_destroy(&follow.answered);
    pthread_mutex_destroy(&follow.mutex);
    return status;
}
