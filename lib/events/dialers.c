#include "events/dialers.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

/* The interval between looks while an address has no connection. */
static const int64_t LOOK_NS = INT64_C(1000) * NS_PER_MS;

void dialers_init(struct dialers *dialers, struct monitor *monitor, nng_socket socket)
{
    *dialers = (struct dialers){.monitor = monitor, .socket = socket};
}

void dialers_want(struct dialers *dialers, const struct resolved *wanted)
{
    monitor_lock(dialers->monitor);
    dialers->wanted = *wanted;
    dialers->changed = true;
    monitor_notify(dialers->monitor);
    monitor_unlock(dialers->monitor);
}

int64_t dialers_look_due_ns(const struct dialers *dialers)
{
    if (dialers->changed)
        return 0;
    return dialers->used > dialers->connections ? dialers->looked_ns + LOOK_NS : INT64_MAX;
}

/* ---- on the follower's thread ---- */

static struct dialer *find(struct dialers *dialers, const char *address)
{
    for (size_t i = 0; i < DIALERS_MAX; i++)
        if (strcmp(dialers->items[i].address, address) == 0)
            return &dialers->items[i];
    return NULL;
}

static bool is_connected(struct dialers *dialers, const struct dialer *dialer)
{
    monitor_lock(dialers->monitor);
    bool connected = dialer->pipe_id != 0;
    monitor_unlock(dialers->monitor);
    return connected;
}

static void change_used(struct dialers *dialers, int delta)
{
    monitor_lock(dialers->monitor);
    dialers->used += delta;
    CHECK(dialers->used >= 0 && dialers->used <= DIALERS_MAX);
    monitor_unlock(dialers->monitor);
}

/* Dials an address. If all items are in use, leaves it to a later look. Returns nng's error code, or 0. */
static int add(struct dialers *dialers, const char *address)
{
    struct dialer *dialer = find(dialers, "");
    if (dialer == NULL)
        return 0;
    (void)snprintf(dialer->address, sizeof dialer->address, "%s", address);
    change_used(dialers, 1);
    return redial_start(&dialer->redial, dialers->socket, dialer->address, NULL, NNG_FLAG_NONBLOCK);
}

/* Frees the item of an address that is no longer wanted and has no connection. */
static void discard(struct dialers *dialers, struct dialer *dialer)
{
    redial_stop(&dialer->redial);
    monitor_lock(dialers->monitor);
    if (dialer->pipe_id != 0) /* connected just now, but closed by redial_stop */
        dialers->connections--;
    dialer->pipe_id = 0;
    dialer->was_connected = false;
    monitor_unlock(dialers->monitor);
    dialer->address[0] = '\0';
    change_used(dialers, -1);
}

int dialers_look(struct dialers *dialers)
{
    struct resolved wanted;
    int failure = 0;
    monitor_lock(dialers->monitor);
    wanted = dialers->wanted;
    dialers->changed = false;
    dialers->looked_ns = clock_monotonic_ns();
    monitor_unlock(dialers->monitor);
    for (size_t i = 0; i < DIALERS_MAX; i++) {
        struct dialer *dialer = &dialers->items[i];
        if (dialer->address[0] == '\0')
            continue;
        bool connected = is_connected(dialers, dialer);
        if (connected || resolved_contains(&wanted, dialer->address))
            redial_look(&dialer->redial, connected);
        else
            discard(dialers, dialer);
    }
    for (size_t i = 0; i < wanted.count; i++) {
        if (find(dialers, wanted.items[i].text) == NULL) {
            int added = add(dialers, wanted.items[i].text);
            failure = failure != 0 ? failure : added;
        }
    }
    return failure;
}

/* ---- on nng's threads ---- */

static enum dialers_event note_added(struct dialers *dialers, nng_pipe pipe)
{
    for (size_t i = 0; i < DIALERS_MAX; i++) {
        struct dialer *dialer = &dialers->items[i];
        if (!redial_made(&dialer->redial, pipe))
            continue;
        if (dialer->pipe_id == 0)
            dialers->connections++;
        dialer->pipe_id = nng_pipe_id(pipe);
        bool first = !dialer->was_connected;
        dialer->was_connected = true;
        return first ? DIALERS_FIRST : DIALERS_CONNECTED;
    }
    return DIALERS_NONE;
}

static enum dialers_event note_removed(struct dialers *dialers, nng_pipe pipe)
{
    for (size_t i = 0; i < DIALERS_MAX; i++) {
        struct dialer *dialer = &dialers->items[i];
        if (dialer->pipe_id != nng_pipe_id(pipe))
            continue;
        dialer->pipe_id = 0;
        dialers->connections--;
        dialers->looked_ns =
            0; /* if the address is no longer wanted, close the dialer before it reconnects */
        return DIALERS_LOST;
    }
    return DIALERS_NONE;
}

enum dialers_event dialers_note(struct dialers *dialers, nng_pipe pipe, nng_pipe_ev event)
{
    return event == NNG_PIPE_EV_ADD_POST ? note_added(dialers, pipe) : note_removed(dialers, pipe);
}
