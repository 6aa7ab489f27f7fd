#include "rpc/outbox.h"

#include "base/check.h"
#include "rpc/slot.h"

/*
 * A thread that holds no more replies than this sends them itself, because waking the outbox's thread would
 * cost more.
 */
enum { SENT_AT_ONCE = 2 };

/* The replies that the calling thread holds. */
struct held {
    bool holding;
    size_t count;
    struct queue slots;
};
static _Thread_local struct held held;

static void send_all(struct queue slots)
{
    for (struct queue_node *node; (node = queue_take(&slots)) != NULL;)
        rpc_slot_send_now(container_of(node, struct rpc_slot, to_send));
}

/*
 * Waits for replies and takes all of them. Returns an empty queue if the outbox is stopping and no reply is
 * left.
 */
static struct queue take_all(struct rpc_outbox *outbox)
{
    monitor_lock(&outbox->monitor);
    while (outbox->slots.first == NULL && !outbox->stopping) {
        outbox->sleeping = true;
        monitor_wait(&outbox->monitor, INT64_MAX);
    }
    outbox->sleeping = false;
    struct queue slots = queue_take_all(&outbox->slots);
    monitor_unlock(&outbox->monitor);
    return slots;
}

static void *work(void *argument)
{
    for (struct queue slots; (slots = take_all(argument)).first != NULL;)
        send_all(slots);
    return NULL;
}

void rpc_outbox_init(struct rpc_outbox *outbox)
{
    *outbox = (struct rpc_outbox){.started = false};
    monitor_init(&outbox->monitor);
}

void rpc_outbox_fini(struct rpc_outbox *outbox)
{
    monitor_fini(&outbox->monitor);
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
    monitor_lock(&outbox->monitor);
    outbox->stopping = true;
    monitor_notify(&outbox->monitor);
    monitor_unlock(&outbox->monitor);
    pthread_join(outbox->thread, NULL);
    CHECK(outbox->slots.first == NULL);
    outbox->started = false;
}

void rpc_outbox_hold(void)
{
    CHECK(!held.holding);
    held = (struct held){.holding = true};
}

bool rpc_outbox_take(struct rpc_slot *slot)
{
    if (!held.holding)
        return false;
    queue_put(&held.slots, &slot->to_send);
    held.count++;
    return true;
}

void rpc_outbox_release(struct rpc_outbox *outbox)
{
    const struct held all = held;
    CHECK(all.holding && (all.slots.first == NULL) == (all.count == 0));
    held = (struct held){.holding = false};
    if (all.count <= SENT_AT_ONCE) {
        send_all(all.slots);
        return;
    }
    monitor_lock(&outbox->monitor);
    queue_append(&outbox->slots, all.slots);
    bool wake = outbox->sleeping;
    outbox->sleeping = false;
    monitor_unlock(&outbox->monitor);
    if (wake)
        monitor_notify(&outbox->monitor);
}
