/*
 * The table has one entry per descriptor. `tracked` is set while nng has the descriptor open, from
 * connections_admit to connections_forget. Only the reading thread touches `frame` (nng reads a connection on
 * one thread at a time). The members through which the reading thread reports to other threads are atomic.
 * `lock` guards everything else. A tracked descriptor is not closed while `lock` is held, so the holder of
 * the lock may use it. Take `lock` last, because nng may hold locks of its own when it calls this module.
 *
 * Time is counted in ticks, so that a process that has been suspended does not treat all its connections as
 * late.
 */
#include "nng/connections.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/map.h"
#include "base/queue.h"
#include "base/ticker.h"
#include "nng/connection_address.h"
#include "nng/connection_notes.h"
#include "nng/frame.h"

enum {
    TICKS = 10,       /* ticks per receive_timeout_ms */
    SILENT_TICKS = 2, /* after this many ticks of silence, a connection may be ended to admit another */
    /*
     * Smaller messages are not counted. Their total size is limited anyway, because each connection has at
     * most one at a time.
     */
    COUNTED_BYTES = 4096,
    FILES_SPARE = 4096, /* entries for descriptors that are not connections */
};

/* The connections of one address. */
struct holder {
    struct connection_address address;
    size_t count;   /* number of connected clients */
    size_t open;    /* number of open descriptors, including those of clients that have left */
    uint64_t bytes; /* total size of the address's counted messages */
    struct list connections;
    uint64_t all_busy_at; /* the last tick at which a search found no silent connection */
};

struct connection {
    _Atomic bool tracked;
    _Atomic bool ended;
    /* Used only by the reading thread. */
    struct frame frame;
    bool counted;
    /* Reported by the reading thread to the ticker. */
    _Atomic uint32_t reads;
    _Atomic uint32_t messages; /* number of completed messages */
    _Atomic bool unfinished;   /* whether the greeting or a message is incomplete */
    /* Guarded by `lock`. */
    struct holder *holder;
    /*
     * Whether the connection counts towards connections_max: its client is connected, and we have not ended
     * it.
     */
    bool joined;
    struct list_node node; /* node in the holder's list */
    uint64_t bytes;        /* size counted for its unfinished message */
    uint64_t begun;        /* sequence number of the message being counted */
    uint32_t seen_reads, seen_messages;
    unsigned silent_ticks, unfinished_ticks;
};

/* One per process, because the interposed functions have no context argument. */
static struct {
    _Atomic bool limited;
    /* Whether the table exists. It is never freed, because another thread may be using it. */
    _Atomic bool has_table;
    struct connection *table;
    size_t table_size;
    struct connection_limits limits;
    pthread_mutex_t lock; /* guards the fields below */
    size_t highest;       /* highest index ever used in `table` */
    struct map holders;   /* address -> struct holder */
    size_t live;          /* number of connected clients */
    size_t open;          /* number of open descriptors, including those of clients that have left */
    uint64_t bytes;       /* total size of all counted messages */
    uint64_t begun;
    uint64_t ticks;
    uint64_t all_busy_at;
    struct ticker *ticker;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Returns the connection, or NULL if nng did not accept the descriptor. */
static struct connection *find(int fd)
{
    if (!atomic_load_explicit(&all.has_table, memory_order_acquire) || fd < 0 || (size_t)fd >= all.table_size)
        return NULL;
    struct connection *connection = &all.table[fd];
    return atomic_load_explicit(&connection->tracked, memory_order_acquire) ? connection : NULL;
}

/* ---- joining and leaving; the caller holds the lock ---- */

static struct holder *holder_of(const struct connection_address *address)
{
    struct holder *holder = map_get(&all.holders, address);
    if (holder != NULL)
        return holder;
    holder = calloc(1, sizeof *holder);
    if (holder == NULL || map_put(&all.holders, address, holder) != STATUS_OK) {
        free(holder);
        return NULL;
    }
    holder->address = *address;
    return holder;
}

static void drop_if_empty(struct holder *holder)
{
    CHECK(holder->count <= holder->open);
    if (holder->open == 0) {
        CHECK(holder->connections.first == NULL && holder->bytes == 0);
        (void)map_remove(&all.holders, &holder->address);
        free(holder);
    }
}

static void uncount(struct connection *connection)
{
    CHECK(connection->bytes <= connection->holder->bytes && connection->holder->bytes <= all.bytes);
    connection->holder->bytes -= connection->bytes;
    all.bytes -= connection->bytes;
    connection->bytes = 0;
}

static void join(struct connection *connection, struct holder *holder)
{
    CHECK(!connection->joined);
    connection->holder = holder;
    connection->joined = true;
    list_add(&holder->connections, &connection->node);
    holder->count++;
    holder->open++;
    all.live++;
    all.open++;
    connection_notes_count(1);
}

static void leave(struct connection *connection)
{
    if (!connection->joined)
        return;
    uncount(connection);
    CHECK(connection->holder->count > 0 && all.live > 0);
    list_remove(&connection->node);
    connection->joined = false;
    connection->holder->count--;
    all.live--;
    connection_notes_count(-1);
}

/* Ends a connection. nng behaves as if the client had closed it. */
static void end(struct connection *connection, enum connection_note why)
{
    connection_note(why, &connection->holder->address);
    leave(connection);
    atomic_store(&connection->ended, true);
    /*
     * Wakes a read that is waiting. This fails harmlessly if the client has already closed the connection.
     * This is a direct system call, because shutdown in connection_calls.c would take the lock again.
     */
    (void)syscall(SYS_shutdown, (int)(connection - all.table), SHUT_RD);
}

/* ---- making room; the caller holds the lock ---- */

static struct connection *more_silent(struct connection *one, struct connection *other)
{
    return one == NULL || other->silent_ticks > one->silent_ticks ? other : one;
}

static struct connection *most_silent_of(const struct holder *holder)
{
    struct connection *found = NULL;
    LIST_EACH(struct connection, other, &holder->connections, node)
        found = more_silent(found, other);
    return found;
}

static struct connection *most_silent_of_all(void)
{
    struct connection *found = NULL;
    for (size_t i = 0; i <= all.highest; i++)
        if (all.table[i].joined)
            found = more_silent(found, &all.table[i]);
    return found;
}

/*
 * Ends the connection of `holder` that has been silent longest, if it has been silent for SILENT_TICKS.
 * Otherwise returns false. After a failed search, does not search again until the next tick.
 */
static bool end_silent_of(struct holder *holder)
{
    struct connection *found = holder->all_busy_at != all.ticks ? most_silent_of(holder) : NULL;
    if (found != NULL && found->silent_ticks >= SILENT_TICKS) {
        end(found, CONNECTION_SILENT);
        return true;
    }
    holder->all_busy_at = all.ticks;
    return false;
}

static bool end_silent_of_all(void)
{
    struct connection *found = all.all_busy_at != all.ticks ? most_silent_of_all() : NULL;
    if (found != NULL && found->silent_ticks >= SILENT_TICKS) {
        end(found, CONNECTION_SILENT);
        return true;
    }
    all.all_busy_at = all.ticks;
    return false;
}

static struct holder *largest_holder(void)
{
    struct holder *largest = NULL;
    size_t position = 0;
    for (struct holder *holder; (holder = map_next(&all.holders, &position, NULL)) != NULL;)
        if (largest == NULL || holder->count > largest->count)
            largest = holder;
    return largest;
}

/*
 * Makes room for one more connection of the address, ending another connection if necessary. Returns false if
 * that is impossible.
 */
static bool make_room(struct holder *newcomer)
{
    if (newcomer->count >= all.limits.per_address_max)
        return end_silent_of(newcomer);
    if (all.live < all.limits.connections_max)
        return true;
    struct holder *largest = largest_holder();
    if (largest->count > newcomer->count + 1) {
        end(most_silent_of(largest), CONNECTION_SILENT);
        return true;
    }
    return newcomer->count > 0 ? end_silent_of(newcomer) : end_silent_of_all();
}

static void track(struct connection *connection, struct holder *holder, bool is_ipc)
{
    frame_init(&connection->frame, is_ipc);
    connection->counted = false;
    atomic_store(&connection->reads, 0);
    atomic_store(&connection->messages, 0);
    atomic_store(&connection->unfinished, true);
    atomic_store(&connection->ended, false);
    connection->bytes = 0;
    connection->seen_reads = connection->seen_messages = 0;
    connection->silent_ticks = connection->unfinished_ticks = 0;
    join(connection, holder);
    size_t index = (size_t)(connection - all.table);
    all.highest = index > all.highest ? index : all.highest;
    atomic_store_explicit(&connection->tracked, true, memory_order_release);
}

static bool has_file_for(int fd, const struct holder *holder)
{
    return (size_t)fd < all.table_size && all.open < all.limits.files_max &&
           holder->open <= all.limits.files_max / 2;
}

static bool admit(int fd, const struct connection_address *address)
{
    struct holder *holder = holder_of(address);
    if (holder != NULL && has_file_for(fd, holder) && make_room(holder)) {
        track(&all.table[fd], holder, address->family == AF_UNIX);
        return true;
    }
    if (holder != NULL)
        drop_if_empty(holder);
    connection_note(CONNECTION_REFUSED, address);
    return false;
}

bool connections_admit(int fd, const struct sockaddr_storage *peer)
{
    if (!atomic_load_explicit(&all.limited, memory_order_acquire))
        return true;
    struct connection_address address;
    connection_address_get(fd, peer, &address);
    pthread_mutex_lock(&all.lock);
    bool admitted = admit(fd, &address);
    pthread_mutex_unlock(&all.lock);
    return admitted;
}

void connections_leave(int fd)
{
    struct connection *connection = find(fd);
    if (connection == NULL)
        return;
    pthread_mutex_lock(&all.lock);
    leave(connection);
    pthread_mutex_unlock(&all.lock);
}

void connections_forget(int fd)
{
    struct connection *connection = find(fd);
    if (connection == NULL)
        return;
    pthread_mutex_lock(&all.lock);
    leave(connection);
    CHECK(connection->holder->open > 0 && all.open > all.live);
    all.open--;
    connection->holder->open--;
    drop_if_empty(connection->holder);
    atomic_store(&connection->tracked, false);
    pthread_mutex_unlock(&all.lock);
}

void connections_without_file(void)
{
    connection_note(CONNECTION_NO_FILE, NULL);
}

/* ---- reading ---- */

bool connections_ended(int fd)
{
    const struct connection *connection = find(fd);
    return connection != NULL && atomic_load_explicit(&connection->ended, memory_order_relaxed);
}

/*
 * Returns the address's connection whose counted message began first, or NULL if none is counted. Lock held.
 */
static struct connection *first_unfinished_of(const struct holder *holder)
{
    struct connection *first = NULL;
    LIST_EACH(struct connection, other, &holder->connections, node)
        if (other->bytes > 0 && (first == NULL || other->begun < first->begun))
            first = other;
    return first;
}

/*
 * Chooses the address with the most bytes in unfinished messages. Of its connections, ends the one whose
 * message began first. Returns false if no message is counted. Lock held.
 */
static bool end_largest_debtor(void)
{
    const struct holder *largest = NULL;
    size_t position = 0;
    for (const struct holder *holder; (holder = map_next(&all.holders, &position, NULL)) != NULL;)
        if (largest == NULL || holder->bytes > largest->bytes)
            largest = holder;
    struct connection *found = largest != NULL ? first_unfinished_of(largest) : NULL;
    if (found != NULL)
        end(found, CONNECTION_UNFINISHED);
    return found != NULL;
}

/*
 * Counts the connection's unfinished message of `size` bytes in place of the one counted before. If `size` is
 * 0, counts no message. Ends connections while the total exceeds the limit.
 */
static void count(struct connection *connection, uint64_t size)
{
    pthread_mutex_lock(&all.lock);
    if (atomic_load(&connection->tracked))
        uncount(connection);
    if (atomic_load(&connection->tracked) && connection->joined && size > 0) {
        connection->bytes = size;
        connection->holder->bytes += size;
        connection->begun = ++all.begun;
        all.bytes += size;
        while (all.bytes > all.limits.receive_bytes_max && end_largest_debtor()) {
        }
    }
    pthread_mutex_unlock(&all.lock);
}

void connections_read(int fd, const struct iovec *pieces, int piece_count, size_t size)
{
    struct connection *connection = find(fd);
    if (connection == NULL)
        return;
    struct frame *frame = &connection->frame;
    size_t messages = 0;
    for (int i = 0; i < piece_count && size > 0; i++) {
        size_t part = pieces[i].iov_len < size ? pieces[i].iov_len : size;
        messages += frame_take(frame, pieces[i].iov_base, part);
        size -= part;
    }
    /* If a message is too large, nng itself closes the connection. */
    bool is_large = frame->place == FRAME_BODY && frame->size_bytes >= COUNTED_BYTES &&
                    frame->size_bytes <= all.limits.receive_bytes_max;
    if (is_large != connection->counted || (is_large && messages > 0)) {
        connection->counted = is_large;
        count(connection, is_large ? frame->size_bytes : 0);
    }
    atomic_fetch_add_explicit(&connection->reads, 1, memory_order_relaxed);
    if (messages > 0)
        atomic_fetch_add_explicit(&connection->messages, (uint32_t)messages, memory_order_relaxed);
    atomic_store_explicit(&connection->unfinished, frame->place != FRAME_BETWEEN, memory_order_relaxed);
}

/* ---- the ticker ---- */

/* Returns whether bytes have arrived that nng has not read yet. If so, the client is not late. */
static bool has_unread(int fd)
{
    int size = 0;
    return ioctl(fd, FIONREAD, &size) == 0 && size > 0;
}

/*
 * Counts the ticks for which the connection has been silent, and those for which its greeting or message has
 * been unfinished. Ends the connection if the greeting or message is late. Lock held.
 */
static void look_at(struct connection *connection)
{
    uint32_t reads = atomic_load(&connection->reads), messages = atomic_load(&connection->messages);
    connection->silent_ticks = reads == connection->seen_reads ? connection->silent_ticks + 1 : 0;
    bool late = atomic_load(&connection->unfinished) && messages == connection->seen_messages;
    connection->unfinished_ticks = late ? connection->unfinished_ticks + 1 : 0;
    connection->seen_reads = reads;
    connection->seen_messages = messages;
    if (connection->unfinished_ticks > TICKS && !has_unread((int)(connection - all.table)))
        end(connection, CONNECTION_UNFINISHED);
}

void connections_tick(void)
{
    pthread_mutex_lock(&all.lock);
    all.ticks++;
    for (size_t i = 0; i <= all.highest; i++)
        if (all.table[i].joined)
            look_at(&all.table[i]);
    pthread_mutex_unlock(&all.lock);
    connection_notes_log();
}

static void tick(void *context, struct ticker *ticker)
{
    (void)context;
    (void)ticker;
    connections_tick();
}

/* ---- enforcing and lifting the limits ---- */

/* Creates the table. The limits of the first call determine its size. Returns false when out of memory. */
static bool make_table(size_t files_max)
{
    if (all.table == NULL) {
        all.table_size = files_max + FILES_SPARE;
        all.table = calloc(all.table_size, sizeof all.table[0]); /* takes no memory until used */
        map_init(&all.holders, sizeof(struct connection_address));
        atomic_store_explicit(&all.has_table, all.table != NULL, memory_order_release);
    }
    return all.table != NULL;
}

enum status connections_limit(const struct connection_limits *limits, struct error *error)
{
    if (!make_table(limits->files_max))
        return error_no_memory(error);
    connection_notes_register();
    all.limits = *limits;
    all.ticks = 1; /* all_busy_at = 0 must not equal the current tick */
    enum status status = ticker_open(limits->receive_timeout_ms / TICKS, tick, NULL, &all.ticker, error);
    if (status == STATUS_OK)
        atomic_store_explicit(&all.limited, true, memory_order_release);
    return status;
}

void connections_unlimit(void)
{
    ticker_close(all.ticker);
    all.ticker = NULL;
    atomic_store(&all.limited, false);
}
