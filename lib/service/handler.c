#include "service/handler.h"

#include "base/check.h"
#include "base/container.h"

static void invoke(ProtobufCService *base, unsigned method, const ProtobufCMessage *request,
                   ProtobufCClosure closure, void *call)
{
    (void)closure; /* handlers reply with rpc_call_reply */
    const struct handler_service *service = (const struct handler_service *)base;
    struct error error = {0};
    if (service->handlers[method](base, request, call, &error) != STATUS_OK)
        rpc_call_fail(call, &error);
}

void handler_service_init(struct handler_service *service, const ProtobufCServiceDescriptor *descriptor,
                          const struct handler *handlers)
{
    CHECK(descriptor->n_methods <= HANDLERS_MAX);
    *service = (struct handler_service){.base = {.descriptor = descriptor, .invoke = invoke}};
    for (unsigned i = 0; i < descriptor->n_methods; i++) {
        const ProtobufCMethodDescriptor *method =
            protobuf_c_service_descriptor_get_method_by_name(descriptor, handlers[i].method);
        CHECK(method != NULL && service->handlers[method - descriptor->methods] == NULL);
        service->handlers[method - descriptor->methods] = handlers[i].handle;
    }
}

enum status handler_write(struct writer *writer, struct writer_command *command,
                          void (*complete)(struct writer_command *command), struct rpc_call *call,
                          struct error *error)
{
    command->class = WRITER_REQUEST;
    command->item.source = rpc_call_source(call);
    command->deadline_ns = rpc_call_deadline_ns(call);
    command->complete = complete;
    return writer_submit_request(writer, command, error);
}

static void run(struct reader_task *task, struct db *db)
{
    struct handler_read *read = container_of(task, struct handler_read, task);
    struct error cause = {0}, told;
    enum status status = read->run(read, db, &cause);
    if (status == STATUS_OK)
        return;
    if (cause.status == STATUS_OK) /* a status without a message, for example when out of memory */
        error_set(&cause, status, NULL, "the read failed");
    reader_task_explain(task, &cause, rpc_call_request_id(read->call), &told);
    rpc_call_fail(read->call, &told);
}

static void refuse(struct reader_task *task, const struct error *error)
{
    rpc_call_fail(container_of(task, struct handler_read, task)->call, error);
}

enum status handler_read(struct reader_pool *readers, struct handler_read *read,
                         enum status (*run_read)(struct handler_read *read, struct db *db,
                                                 struct error *error),
                         struct rpc_call *call, struct error *error)
{
    read->task.item.source = rpc_call_source(call);
    read->task.deadline_ns = rpc_call_deadline_ns(call);
    read->task.run = run;
    read->task.refuse = refuse;
    read->call = call;
    read->run = run_read;
    return reader_pool_submit(readers, &read->task, error);
}
