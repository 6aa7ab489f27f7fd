#include "nng/muted.h"

#include "base/log.h"

void muted_init(struct muted *muted)
{
    atomic_init(&muted->count, 0);
    pthread_mutex_init(&muted->mutex, NULL);
    map_init(&muted->pipes, sizeof(int));
}

void muted_fini(struct muted *muted)
{
    map_fini(&muted->pipes);
    pthread_mutex_destroy(&muted->mutex);
}

void muted_add(struct muted *muted, nng_pipe pipe)
{
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&muted->mutex);
    enum status status = map_put(&muted->pipes, &id, muted);
    atomic_store(&muted->count, muted->pipes.count);
    pthread_mutex_unlock(&muted->mutex);
    if (status != STATUS_OK)
        log_plain(LOG_ERROR, "rpc.out_of_memory"); /* each reply on the pipe still blocks a slot until it
                                                    * times out */
}

void muted_remove(struct muted *muted, nng_pipe pipe)
{
    if (atomic_load(&muted->count) == 0)
        return;
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&muted->mutex);
    (void)map_remove(&muted->pipes, &id); /* usually the connection is not muted */
    atomic_store(&muted->count, muted->pipes.count);
    pthread_mutex_unlock(&muted->mutex);
}

bool muted_has(struct muted *muted, nng_pipe pipe)
{
    if (atomic_load(&muted->count) == 0)
        return false;
    int id = nng_pipe_id(pipe);
    pthread_mutex_lock(&muted->mutex);
    bool has = map_get(&muted->pipes, &id) != NULL;
    pthread_mutex_unlock(&muted->mutex);
    return has;
}
