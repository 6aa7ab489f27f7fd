/*
 * Each log has at most one Fetch in flight. Unlike the services' followers (lib/events), this follower does
 * not use pub/sub, because screenctl does not know the publishers' addresses.
 */
#include "event_follow.h"

#include "client.h"
#include "message.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/uuid.h"
#include "events/fetch_client.h"

enum { WAIT_MS = 10000, ANSWER_MS = 5000, PAUSE_MS = 1000, LOOK_MS = 100 };

struct log {
    struct rpc_client *client;
    enum peer_name peer;
    Screening__V1__FetchRequest request;
    char last_event_id[UUID_TEXT_SIZE];
    struct fetch_call *call; /* the call in flight; NULL = none */
    char *authorization;     /* of the last call */
    uint64_t end_seq;        /* the position at which to stop if `once`; set by the first response */
    int64_t ask_at_ns;
    bool wanted;
    bool at_head; /* whether to start at the head, which is not known yet */
    bool heard;   /* whether a response has arrived */
    bool lost;    /* whether the service is unreachable and a line has been printed that says so */
};

struct follow {
    struct monitor answered;
    struct session *session;
    struct auth_signer *signer; /* or NULL */
    bool once;
    event_take_fn take;
    void *context;
    struct log logs[PEER_COUNT];
};

/* ---- requests ---- */

/* Puts the text for the header `authorization`, or NULL, into log->authorization. */
static enum status authorize(const struct follow *follow, struct log *log, struct error *error)
{
    const char *text;
    struct arena arena;
    token_file_free(log->authorization);
    log->authorization = NULL;
    if (follow->signer == NULL)
        return session_authorization(follow->session, &log->authorization, error);
    arena_init(&arena);
    enum status status = auth_signer_token(follow->signer, PEERS[log->peer].program, &arena, &text, error);
    if (status == STATUS_OK && (log->authorization = strdup(text)) == NULL)
        status = client_no_memory(error);
    arena_fini(&arena);
    return status;
}

static enum status ask(struct follow *follow, struct log *log, struct error *error)
{
    bool wait = !follow->once && !log->at_head;
    TRY(authorize(follow, log, error));
    const struct rpc_client_call options = {.timeout_ms =
                                                wait ? WAIT_MS + ANSWER_MS : follow->session->timeout_ms,
                                            .authorization = log->authorization};
    log->request.wait_ms = wait ? WAIT_MS : 0;
    log->request.max_events = log->at_head ? 1 : 0;
    log->request.after_event_id = log->last_event_id;
    log->request.subscriber = "screenctl";
    log->call = fetch_call_begin(log->client, &log->request, &options, &follow->answered);
    if (log->call == NULL)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, _("out of memory"));
    return STATUS_OK;
}

/* Sends the due requests. Sets *more to whether further events are possible. */
static enum status ask_all(struct follow *follow, bool *more, struct error *error)
{
    *more = false;
    for (int i = 0; i < PEER_COUNT; i++) {
        struct log *log = &follow->logs[i];
        if (log->wanted && log->call == NULL && clock_monotonic_ns() >= log->ask_at_ns)
            TRY(ask(follow, log, error));
        *more = *more || log->wanted;
    }
    return STATUS_OK;
}

/* Returns a log whose response has arrived, or NULL if there is none. The caller holds the lock. */
static struct log *find_answered(struct follow *follow)
{
    for (int i = 0; i < PEER_COUNT; i++)
        if (follow->logs[i].call != NULL && fetch_call_answered(follow->logs[i].call))
            return &follow->logs[i];
    return NULL;
}

/*
 * Waits for a response, but only briefly, because a retry may become due in the meantime. Returns the log of
 * the response, or NULL if none has arrived.
 */
static struct log *next_answer(struct follow *follow)
{
    struct log *found;
    int64_t until_ns = clock_monotonic_ns() + (int64_t)LOOK_MS * NS_PER_MS;
    monitor_lock(&follow->answered);
    while ((found = find_answered(follow)) == NULL && clock_monotonic_ns() < until_ns)
        monitor_wait(&follow->answered, until_ns);
    monitor_unlock(&follow->answered);
    return found;
}

/* ---- responses ---- */

static void move_on(struct log *log, bool once, const Screening__V1__FetchResponse *response)
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
    log->wanted = !(once && at_end);
}

/*
 * Schedules a retry if the error is transient, and returns OK. Returns any other error and, if `once`, every
 * error.
 */
static enum status endure(const struct follow *follow, struct log *log, const struct error *error)
{
    if (follow->once || !status_is_transient(error->status))
        return error->status;
    if (!log->lost && error->status == STATUS_UNAVAILABLE) {
        fprintf(stderr, _("screenctl: %s at %s does not answer: waiting for it\n"), PEERS[log->peer].program,
                follow->session->addresses[log->peer]);
        log->lost = true;
    }
    log->ask_at_ns = clock_monotonic_ns() + (int64_t)PAUSE_MS * NS_PER_MS;
    return STATUS_OK;
}

/* Handles a response. Sets *enough if `take` returns false. */
static enum status use_answer(struct follow *follow, struct log *log, bool *enough, struct error *error)
{
    const bool stop = false, only_the_head = log->at_head;
    const Screening__V1__FetchResponse *response;
    enum status status = fetch_call_wait(log->call, &stop, &response, error);
    if (status == STATUS_OK) {
        log->lost = false;
        move_on(log, follow->once, response);
        *enough =
            !only_the_head && response->n_events > 0 && !follow->take(follow->context, log->peer, response);
    } else {
        status = endure(follow, log, error);
    }
    fetch_call_end(log->call);
    log->call = NULL;
    return status;
}

static enum status run(struct follow *follow, struct error *error)
{
    for (bool enough = false, more = true; !enough;) {
        TRY(ask_all(follow, &more, error));
        if (!more)
            break;
        struct log *log = next_answer(follow);
        if (log != NULL)
            TRY(use_answer(follow, log, &enough, error));
    }
    return STATUS_OK;
}

/* ---- beginning and ending ---- */

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
    log->peer = peer;
    log->at_head = start->at_head;
    log->wanted = true;
    return STATUS_OK;
}

/* Closes the channels. This also ends the calls that fetch_call_end has abandoned. */
static void close_all(struct follow *follow)
{
    for (int i = 0; i < PEER_COUNT; i++) {
        struct log *log = &follow->logs[i];
        if (log->client == NULL)
            continue;
        fetch_call_end(log->call);
        rpc_channel_close(follow->session->channels[i]);
        follow->session->channels[i] = NULL;
        rpc_client_destroy(log->client);
        token_file_free(log->authorization);
    }
}

enum status event_follow(struct session *session, const struct event_start starts[PEER_COUNT], bool once,
                         struct auth_signer *signer, event_take_fn take, void *context, struct error *error)
{
    struct follow follow = {
        .session = session, .signer = signer, .once = once, .take = take, .context = context};
    monitor_init(&follow.answered);
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < PEER_COUNT; i++)
        if (starts[i].wanted)
            status = open_log(&follow, (enum peer_name)i, &starts[i], error);
    if (status == STATUS_OK)
        status = run(&follow, error);
    close_all(&follow);
    monitor_fini(&follow.answered);
    return status;
}
