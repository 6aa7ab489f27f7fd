/*
 * The methods of a service with a database. Each method is one function, its handler. It validates the
 * request and passes the call on to the writer or to the reader threads. It runs on nng's callback threads
 * and never blocks.
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
 * Handles a call. `service` embeds the struct handler_service. `request` is the method's request message,
 * which lives as long as the call. OK means that the call has been answered, or will be. Otherwise it is
 * answered with *error.
 */
typedef enum status (*handler_fn)(void *service, const void *request, struct rpc_call *call,
                                  struct error *error);

struct handler {
    const char *method; /* "CreateBooking" */
    handler_fn handle;
};

enum { HANDLERS_MAX = 16 };

/* Embed it as the first member of the struct that the handlers need, and pass `&base` to rpc_server_add. */
struct handler_service {
    ProtobufCService base;             /* must be first */
    handler_fn handlers[HANDLERS_MAX]; /* indexed like the methods in the descriptor */
};

/* Initialises the service. `handlers` has one entry for each of its methods. */
void handler_service_init(struct handler_service *service, const ProtobufCServiceDescriptor *descriptor,
                          const struct handler *handlers);

/*
 * Submits a command of the class WRITER_REQUEST with the call's source and deadline. Fails like
 * writer_submit_request. The caller then keeps the command.
 */
MUST_CHECK enum status handler_write(struct writer *writer, struct writer_command *command,
                                     void (*complete)(struct writer_command *command), struct rpc_call *call,
                                     struct error *error);

/* A call that reads the database. Embed it in your task, in the call's arena. */
struct handler_read {
    struct reader_task task;
    struct rpc_call *call;
    /*
     * Reads and replies, on a reader thread. After a failure the call is answered with the error, as
     * reader_task_explain translates it.
     */
    enum status (*run)(struct handler_read *read, struct db *db, struct error *error);
};

/* Submits the read with the call's source and deadline. Fails like reader_pool_submit. */
MUST_CHECK enum status handler_read(struct reader_pool *readers, struct handler_read *read,
                                    enum status (*run)(struct handler_read *read, struct db *db,
                                                       struct error *error),
                                    struct rpc_call *call, struct error *error);

#endif
