#include "rpc/muted.h"

#include "base/log.h"

void rpc_muted_init(struct rpc_muted *muted)
{
    atomic_init(&muted->count, 0);
    pthread_mutex_init(&muted->mutex, NULL);
    map_init(&muted->pipes, sizeof(int));
}

void rpc_muted_fini(struct rpc_muted *muted)
{
    map_fini(&muted->pipes);
    pthread_mutex_destroy(&muted->mutex);
}

void rpc_muted_add(struct rpc_muted *muted, nng_pipe pipe)
{
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&muted->mutex);
    enum status status = map_put(&muted->pipes, &id, muted);
    atomic_store(&muted->count, muted->pipes.count);
    pthread_mutex_unlock(&muted->mutex);
    if (status != STATUS_OK)
        log_plain(LOG_ERROR, "rpc.out_of_memory"); /* each reply to it still costs a slot a timeout */
}

void rpc_muted_remove(struct rpc_muted *muted, nng_pipe pipe)
{
    if (atomic_load(&muted->count) == 0)
        return;
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&muted->mutex);
    (void)map_remove(&muted->pipes, &id); /* usually there is no entry */
    atomic_store(&muted->count, muted->pipes.count);
    pthread_mutex_unlock(&muted->mutex);
}

bool rpc_muted_has(struct rpc_muted *muted, nng_pipe pipe)
{
    if (atomic_load(&muted->count) == 0)
        return false;
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&muted->mutex);
    bool has = map_get(&muted->pipes, &id) != NULL;
    pthread_mutex_unlock(&muted->mutex);
    return has;
}
