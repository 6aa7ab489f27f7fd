#include "rpc/outbox.h"

#include "rpc/slot.h"

/* The holding thread itself sends up to this many replies: a wake-up would cost more. */
enum { SENT_AT_ONCE = 2 };

/* The replies that the calling thread holds. */
struct held {
    bool holding;
    size_t count;
    struct rpc_slot *first, *last;
};
static _Thread_local struct held held;

static void send_all(struct rpc_slot *first)
{
    for (struct rpc_slot *slot = first, *next; slot != NULL; slot = next) {
        next = slot->next_to_send; /* the slot moves on once the reply is sent */
        rpc_slot_send_now(slot);
    }
}

/* Waits for replies and takes all of them. Returns NULL when the outbox is stopping and empty. */
static struct rpc_slot *take_all(struct rpc_outbox *outbox)
{
    pthread_mutex_lock(&outbox->mutex);
    while (outbox->first == NULL && !outbox->stopping) {
        outbox->sleeping = true;
        pthread_cond_wait(&outbox->filled, &outbox->mutex);
    }
    outbox->sleeping = false;
    struct rpc_slot *first = outbox->first;
    outbox->first = NULL;
    outbox->end = &outbox->first;
    pthread_mutex_unlock(&outbox->mutex);
    return first;
}

static void *work(void *argument)
{
    for (struct rpc_slot *first; (first = take_all(argument)) != NULL;)
        send_all(first);
    return NULL;
}

void rpc_outbox_init(struct rpc_outbox *outbox)
{
    *outbox = (struct rpc_outbox){.end = &outbox->first};
    pthread_mutex_init(&outbox->mutex, NULL);
    pthread_cond_init(&outbox->filled, NULL);
}

void rpc_outbox_fini(struct rpc_outbox *outbox)
{
    pthread_cond_destroy(&outbox->filled);
    pthread_mutex_destroy(&outbox->mutex);
}

enum status rpc_outbox_start(struct rpc_outbox *outbox, struct error *error)
{
    if (pthread_create(&outbox->thread, NULL, work, outbox) != 0)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, NULL, "rpc server: no thread left");
    outbox->started = true;
    return STATUS_OK;
}

void rpc_outbox_stop(struct rpc_outbox *outbox)
{
    if (!outbox->started)
        return;
    pthread_mutex_lock(&outbox->mutex);
    outbox->stopping = true;
    pthread_cond_signal(&outbox->filled);
    pthread_mutex_unlock(&outbox->mutex);
    pthread_join(outbox->thread, NULL);
    outbox->started = false;
}

void rpc_outbox_hold(void)
{
    held = (struct held){.holding = true};
}

bool rpc_outbox_take(struct rpc_slot *slot)
{
    if (!held.holding)
        return false;
    slot->next_to_send = NULL;
    if (held.first == NULL)
        held.first = slot;
    else
        held.last->next_to_send = slot;
    held.last = slot;
    held.count++;
    return true;
}

void rpc_outbox_release(struct rpc_outbox *outbox)
{
    const struct held all = held;
    held = (struct held){.holding = false};
    if (all.count <= SENT_AT_ONCE) {
        send_all(all.first);
        return;
    }
    pthread_mutex_lock(&outbox->mutex);
    *outbox->end = all.first;
    outbox->end = &all.last->next_to_send;
    bool wake = outbox->sleeping;
    outbox->sleeping = false;
    pthread_mutex_unlock(&outbox->mutex);
    if (wake)
        pthread_cond_signal(&outbox->filled);
}
