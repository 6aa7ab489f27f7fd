#include "service/connection_limits.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/log.h"
#include "nng/connections.h"
#include "rpc/envelope.h"

enum {
    /*
     * The number of descriptors reserved for databases, followed logs, the ops port with its 64 connections,
     * and files opened by libraries.
     */
    OTHER_FILES = 256,
    SMALL_SHARE = 4,   /* if the limit is at most 2 * OTHER_FILES, 1/SMALL_SHARE of it is for connections */
    CLOSING_SHARE = 4, /* descriptors per allowed connection: those that nng is still closing need one too */
};

size_t service_files_for_connections(size_t wanted, size_t open_files_max)
{
    size_t files = open_files_max > 2 * (size_t)OTHER_FILES ? open_files_max - OTHER_FILES
                                                            : open_files_max / SMALL_SHARE;
    size_t most = CLOSING_SHARE * wanted;
    if (files < 2)
        files = 2;
    return files < most ? files : most;
}

enum status service_limit_connections(const struct service_settings *settings, struct error *error)
{
    size_t wanted = (size_t)settings->connections_max;
    size_t files_max = CLOSING_SHARE * wanted;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        files_max = service_files_for_connections(wanted, files.rlim_cur);
    size_t most = wanted < files_max / 2 ? wanted : files_max / 2;
    if (most < wanted) {
        log_event(LOG_WARN, "service.connections_max_lowered", LOG_INT("connections_max", most),
                  LOG_INT("open_files", files.rlim_cur));
    }
    size_t message_max = (size_t)settings->message_max_bytes + RPC_NNG_HEADER_BYTES;
    size_t receive_max = (size_t)settings->receive_bytes_max;
    const struct connection_limits limits = {
        .connections_max = most,
        .per_address_max = (size_t)settings->connections_per_address,
        .files_max = files_max,
        .receive_timeout_ms = (uint32_t)settings->receive_timeout_ms,
        .receive_bytes_max = receive_max > message_max ? receive_max : message_max,
    };
    TRY(connections_limit(&limits, error));
    (void)atexit(connections_unlimit); /* joins the thread that checks the connections */
    return STATUS_OK;
}
