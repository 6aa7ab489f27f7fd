/*
 * The methods of a service with a database. Each method has one handler, a function that validates the
 * request and passes the call on to the writer or to the reader threads. Handlers run on nng's callback
 * threads and never block.
 */
#ifndef SCREENING_SERVICE_HANDLER_H
#define SCREENING_SERVICE_HANDLER_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/status.h"
#include "rpc/server.h"
#include "writer/reader.h"
#include "writer/writer.h"

/*
 * Handles a call. `service` points to the struct that embeds the struct handler_service. `request` is the
 * method's request message, which lives as long as the call. OK means that the handler has answered the call
 * or will answer it. If the handler returns any other status, the call is answered with *error.
 */
typedef enum status (*handler_fn)(void *service, const void *request, struct rpc_call *call,
                                  struct error *error);

struct handler {
    const char *method; /* "CreateBooking" */
    handler_fn handle;
};

enum { HANDLERS_MAX = 16 };

/* Embed this as the first member of the struct that the handlers need, and pass `&base` to rpc_server_add. */
struct handler_service {
    ProtobufCService base;             /* must be first */
    handler_fn handlers[HANDLERS_MAX]; /* indexed like the methods in the descriptor */
};

/* Initialises the service. `handlers` has one entry for each of its methods. */
void handler_service_init(struct handler_service *service, const ProtobufCServiceDescriptor *descriptor,
                          const struct handler *handlers);

/*
 * Submits a command of the class WRITER_REQUEST with the call's source and deadline. Fails like
 * writer_submit_request; the caller then still owns the command.
 */
MUST_CHECK enum status handler_write(struct writer *writer, struct writer_command *command,
                                     void (*complete)(struct writer_command *command), struct rpc_call *call,
                                     struct error *error);

/* A call that reads the database. Embed this in your own struct, allocated in the call's arena. */
struct handler_read {
    struct reader_task task;
    struct rpc_call *call;
    /*
     * Reads the database and replies to the call, on a reader thread. If it fails, the call is answered with
     * the error that reader_task_explain returns.
     */
    enum status (*run)(struct handler_read *read, struct db *db, struct error *error);
};

/* Submits the read with the call's source and deadline. Fails like reader_pool_submit. */
MUST_CHECK enum status handler_read(struct reader_pool *readers, struct handler_read *read,
                                    enum status (*run)(struct handler_read *read, struct db *db,
                                                       struct error *error),
                                    struct rpc_call *call, struct error *error);

#endif
