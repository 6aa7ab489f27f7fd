/*
 * `lock` guards the list of idle calls and the counters. Answers arrive on nng's threads. In the closed loop
 * an answer begins the next turn; in the open loop only load_run does. A call that cannot be sent is answered
 * before its send returns. If that answer began the next turn, the recursion would never end. So load_run
 * begins the next turn in that case, too.
 */
#include "load.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum { CALLS_BLOCK = 512, RESEND_MS = 10 };

/*
 * The open loop wakes once per interval and sends all turns that are due. Waking for every turn would keep
 * busy a core that the services need. Nevertheless, the latency of a turn is measured from its scheduled
 * time.
 */
enum { TICK_US = 500 };

struct call;

struct load {
    const struct load_options *options;
    struct tally *tally;
    struct recent *recent;
    int64_t measure_from_ns, end_ns;
    bool measuring; /* whether the measured time has begun; used only by load_run */
    pthread_mutex_t lock;
    pthread_cond_t all_answered;
    struct call *idle;
    struct block *blocks;
    size_t under_way;
    uint64_t begun; /* number of turns begun, including those of the warm-up */
    int64_t last_end_ns;
    struct load_result result;
};

struct call {
    struct turn turn; /* must be first, because the stub's closures receive it */
    struct load *load;
    struct call *next; /* while idle */
    /* Start of the request. In the open loop, the first request of a turn starts at its scheduled time. */
    int64_t begin_ns;
    int64_t sent_ns;
};

struct block {
    struct block *next;
    struct call calls[CALLS_BLOCK];
};

/* Puts the call back into the idle list. */
static void put_back(struct load *load, struct call *call)
{
    pthread_mutex_lock(&load->lock);
    call->next = load->idle;
    load->idle = call;
    load->under_way--;
    load->last_end_ns = clock_monotonic_ns();
    if (load->under_way == 0)
        pthread_cond_signal(&load->all_answered);
    pthread_mutex_unlock(&load->lock);
}

static bool is_over(const struct load *load, int64_t now_ns)
{
    const atomic_int *stop = load->options->stop;
    return now_ns >= load->end_ns || (stop != NULL && atomic_load(stop) != 0);
}

/* ---- sending ---- */

static void send_request(struct call *call, const struct request *request, int64_t begin_ns)
{
    call->begin_ns = begin_ns;
    call->sent_ns = clock_monotonic_ns();
    call->turn.rpc = (struct rpc_client_call){.timeout_ms = call->load->options->budget_ms,
                                              .authorization = call->load->options->authorization};
    request->send(&call->turn);
}

/* Begins the next turn. Returns false if there are no more turns. */
static bool begin_turn(struct call *call, int64_t begin_ns)
{
    struct load *load = call->load;
    const struct load_options *options = load->options;
    pthread_mutex_lock(&load->lock);
    bool over = options->count > 0 && load->begun == options->count;
    uint64_t number = load->begun;
    load->begun += !over;
    load->result.turns += !over && begin_ns >= load->measure_from_ns;
    pthread_mutex_unlock(&load->lock);
    if (over)
        return false;
    struct turn *turn = &call->turn;
    turn->number = number;
    turn->booking = options->clients[number % options->client_count];
    turn->day = stage_day_of(options->stage, number);
    send_request(call, options->mix->first(turn), begin_ns);
    return true;
}

static void answered(struct turn *turn, struct tally_answer *answer)
{
    struct call *call = (struct call *)turn;
    struct load *load = call->load;
    const struct mix *mix = load->options->mix;
    int64_t now_ns = clock_monotonic_ns();
    answer->counted = call->begin_ns >= load->measure_from_ns;
    answer->took_us = (now_ns - call->begin_ns) / NS_PER_US;
    answer->took_from_sending_us = (now_ns - call->sent_ns) / NS_PER_US;
    tally_add(load->tally, answer);
    const struct request *next = mix->next != NULL && turn->rpc.left ? mix->next(turn, answer) : NULL;
    if (next != NULL)
        send_request(call, next, clock_monotonic_ns());
    else if (load->options->rate > 0 || !turn->rpc.left || is_over(load, now_ns) ||
             !begin_turn(call, clock_monotonic_ns()))
        put_back(load, call);
}

/* ---- calls ---- */

static void add_block(struct load *load)
{
    struct block *block = calloc(1, sizeof *block);
    if (block == NULL)
        return;
    for (int i = 0; i < CALLS_BLOCK; i++) {
        struct call *call = &block->calls[i];
        call->load = load;
        call->turn.answered = answered;
        call->turn.hospital = load->options->hospital;
        call->turn.recent = load->recent;
        call->next = load->idle;
        load->idle = call;
    }
    block->next = load->blocks;
    load->blocks = block;
}

/* Takes an idle call and counts it as in flight. Returns NULL when out of memory. */
static struct call *take(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    if (load->idle == NULL)
        add_block(load);
    struct call *call = load->idle;
    if (call != NULL) {
        load->idle = call->next;
        load->under_way++;
    }
    pthread_mutex_unlock(&load->lock);
    return call;
}

static void free_blocks(struct load *load)
{
    while (load->blocks != NULL) {
        struct block *block = load->blocks;
        load->blocks = block->next;
        free(block);
    }
}

/* ---- the loops ---- */

static void sleep_until(int64_t ns)
{
    const struct timespec until = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
    }
}

static void begin_measuring(struct load *load)
{
    if (load->measuring || clock_monotonic_ns() < load->measure_from_ns)
        return;
    load->measuring = true;
    watch_begin(load->options->watch);
}

static size_t count_idle(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    size_t count = load->options->in_flight - load->under_way;
    pthread_mutex_unlock(&load->lock);
    return count;
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/*
 * Returns the time of the closed loop's next check for calls that could not be sent and for its time limits.
 */
static int64_t look_again_at(const struct load *load, int64_t now_ns)
{
    return earlier(now_ns + RESEND_MS * (int64_t)NS_PER_MS,
                   load->measuring ? load->end_ns : load->measure_from_ns);
}

static bool run_closed(struct load *load)
{
    for (int64_t now_ns; !is_over(load, now_ns = clock_monotonic_ns());) {
        begin_measuring(load);
        for (size_t idle = count_idle(load); idle > 0; idle--) {
            struct call *call = take(load);
            if (call == NULL)
                return false;
            if (!begin_turn(call, clock_monotonic_ns())) {
                put_back(load, call);
                return true;
            }
        }
        sleep_until(look_again_at(load, now_ns));
    }
    return true;
}

/* Returns the end of the tick that contains `due_ns`. */
static int64_t tick_after(int64_t begin_ns, int64_t due_ns)
{
    const int64_t tick_ns = (int64_t)TICK_US * NS_PER_US;
    return begin_ns + (due_ns - begin_ns + tick_ns - 1) / tick_ns * tick_ns;
}

static void run_open(struct load *load, int64_t begin_ns)
{
    const double gap_ns = NS_PER_S / load->options->rate;
    for (uint64_t i = 0; load->options->count == 0 || i < load->options->count; i++) {
        int64_t due_ns = begin_ns + (int64_t)((double)i * gap_ns);
        if (is_over(load, due_ns))
            return;
        int64_t send_ns = tick_after(begin_ns, due_ns);
        int64_t now_ns = clock_monotonic_ns();
        if (now_ns < send_ns) { /* even a sleep until a time in the past costs microseconds */
            sleep_until(send_ns);
            now_ns = clock_monotonic_ns();
        }
        begin_measuring(load);
        int64_t late_us = (now_ns - due_ns) / NS_PER_US;
        if (due_ns >= load->measure_from_ns && late_us > load->result.late_max_us)
            load->result.late_max_us = late_us;
        struct call *call = take(load);
        if (call == NULL)
            load->result.not_sent++;
        else if (!begin_turn(call, due_ns))
            put_back(load, call);
    }
}

static void wait_for_answers(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    while (load->under_way > 0)
        pthread_cond_wait(&load->all_answered, &load->lock);
    pthread_mutex_unlock(&load->lock);
}

static int64_t ns_of(double seconds)
{
    return (int64_t)(seconds * NS_PER_S);
}

/*
 * Runs the load. If the number of turns is fixed, measures until the last answer, otherwise until the end of
 * the duration. Returns false when out of memory.
 */
static bool run(struct load *load, int64_t begin_ns)
{
    const struct load_options *options = load->options;
    bool complete = true;
    watch_begin(options->watch); /* an open loop may end before the measured time begins */
    if (options->rate > 0)
        run_open(load, begin_ns);
    else
        complete = run_closed(load);
    if (options->count > 0)
        wait_for_answers(load);
    watch_end(options->watch);
    int64_t end_ns = options->count > 0 ? load->last_end_ns : earlier(clock_monotonic_ns(), load->end_ns);
    if (end_ns > load->measure_from_ns)
        load->result.measured_s = (double)(end_ns - load->measure_from_ns) / (double)NS_PER_S;
    wait_for_answers(load);
    return complete;
}

bool load_run(const struct load_options *options, struct tally *tally, struct load_result *result)
{
    const bool counted = options->count > 0;
    int64_t begin_ns = clock_monotonic_ns();
    struct load load = {
        .options = options,
        .tally = tally,
        .recent = recent_create(),
        .measure_from_ns = counted ? begin_ns : begin_ns + ns_of(options->warm_up_s),
        .end_ns = counted ? INT64_MAX : begin_ns + ns_of(options->warm_up_s + options->measured_s),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .all_answered = PTHREAD_COND_INITIALIZER,
    };
    bool complete = load.recent != NULL && run(&load, begin_ns);
    free_blocks(&load);
    recent_destroy(load.recent);
    *result = load.result;
    return complete;
}
