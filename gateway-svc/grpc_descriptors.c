#include "grpc_descriptors.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"

#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

/* Made by protoc from the .proto files. Each file comes after those that it imports. */
extern const char gateway_descriptor_set[];
extern const size_t gateway_descriptor_set_size;

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__DescriptorProto message_proto;

struct grpc_descriptors {
    struct arena arena;
    Google__Protobuf__FileDescriptorSet *set; /* without methods that are not public */
    ProtobufCBinaryData *packed;              /* the files of the set, in its order */
    const char *services[GRPC_SERVICES_MAX];
    size_t service_count;
};

/* ---- opening and closing ---- */

/* Removes the methods that are not public from the service. Returns whether there were any. */
static bool hide_methods(service_proto *service, const char *name, grpc_is_public_fn is_public,
                         const void *context)
{
    size_t kept = 0, count = service->n_method;
    for (size_t i = 0; i < count; i++)
        if (is_public(context, name, service->method[i]->name))
            service->method[kept++] = service->method[i];
    service->n_method = kept;
    return kept < count;
}

/* Packs a file again after its methods were hidden. Returns false when out of memory. */
static bool pack_again(struct arena *arena, const file_proto *file, ProtobufCBinaryData *packed)
{
    size_t size = google__protobuf__file_descriptor_proto__get_packed_size(file);
    uint8_t *bytes = arena_alloc(arena, size);
    if (bytes == NULL)
        return false;
    *packed = (ProtobufCBinaryData){google__protobuf__file_descriptor_proto__pack(file, bytes), bytes};
    return true;
}

static bool read_file(struct grpc_descriptors *descriptors, size_t index, grpc_is_public_fn is_public,
                      const void *context)
{
    const file_proto *file = descriptors->set->file[index];
    bool changed = false;
    for (size_t i = 0; i < file->n_service; i++) {
        const char *name = arena_printf(&descriptors->arena, "%s.%s", file->package, file->service[i]->name);
        if (name == NULL)
            return false;
        changed |= hide_methods(file->service[i], name, is_public, context);
        if (file->service[i]->n_method > 0 && descriptors->service_count < GRPC_SERVICES_MAX)
            descriptors->services[descriptors->service_count++] = name;
    }
    return !changed || pack_again(&descriptors->arena, file, &descriptors->packed[index]);
}

static bool read_all(struct grpc_descriptors *descriptors, grpc_is_public_fn is_public, const void *context)
{
    ProtobufCAllocator *allocator = arena_allocator(&descriptors->arena);
    const uint8_t *bytes = (const uint8_t *)gateway_descriptor_set;
    descriptors->set =
        google__protobuf__file_descriptor_set__unpack(allocator, gateway_descriptor_set_size, bytes);
    /* This message has the same wire format, but leaves the files packed. */
    const Grpc__Reflection__V1__FileDescriptorResponse *files =
        grpc__reflection__v1__file_descriptor_response__unpack(allocator, gateway_descriptor_set_size, bytes);
    if (descriptors->set == NULL || files == NULL)
        return false;
    CHECK(descriptors->set->n_file < GRPC_FILES_MAX);
    descriptors->packed = files->file_descriptor_proto;
    for (size_t i = 0; i < descriptors->set->n_file; i++)
        if (!read_file(descriptors, i, is_public, context))
            return false;
    return true;
}

enum status grpc_descriptors_open(grpc_is_public_fn is_public, const void *context,
                                  struct grpc_descriptors **out, struct error *error)
{
    struct grpc_descriptors *descriptors = calloc(1, sizeof *descriptors);
    if (descriptors == NULL)
        return error_no_memory(error);
    arena_init(&descriptors->arena);
    if (!read_all(descriptors, is_public, context)) {
        grpc_descriptors_close(descriptors);
        return error_no_memory(error);
    }
    *out = descriptors;
    return STATUS_OK;
}

void grpc_descriptors_close(struct grpc_descriptors *descriptors)
{
    if (descriptors == NULL)
        return;
    arena_fini(&descriptors->arena);
    free(descriptors);
}

/* ---- finding ---- */

size_t grpc_descriptors_services(const struct grpc_descriptors *descriptors,
                                 const char *names[GRPC_SERVICES_MAX])
{
    memcpy(names, descriptors->services, descriptors->service_count * sizeof *names);
    return descriptors->service_count;
}

static size_t index_of(const Google__Protobuf__FileDescriptorSet *set, const char *name)
{
    size_t i = 0;
    while (i < set->n_file && strcmp(set->file[i]->name, name) != 0)
        i++;
    return i;
}

/* Collects the file at `index` and what it imports, which comes earlier in the set. */
static void collect(const struct grpc_descriptors *descriptors, size_t index, struct grpc_files *out)
{
    const Google__Protobuf__FileDescriptorSet *set = descriptors->set;
    bool wanted[GRPC_FILES_MAX] = {false};
    wanted[index] = true;
    for (size_t i = index + 1; i-- > 0;)
        for (size_t d = 0; wanted[i] && d < set->file[i]->n_dependency; d++)
            wanted[index_of(set, set->file[i]->dependency[d])] = true;
    out->count = 0;
    for (size_t i = 0; i <= index; i++)
        if (wanted[i])
            out->files[out->count++] = descriptors->packed[i];
}

bool grpc_descriptors_by_name(const struct grpc_descriptors *descriptors, const char *name,
                              struct grpc_files *out)
{
    size_t index = index_of(descriptors->set, name);
    if (index == descriptors->set->n_file)
        return false;
    collect(descriptors, index, out);
    return true;
}

/* Returns whether `text` of `size` bytes is `name`. */
static bool is_name(const char *name, const char *text, size_t size)
{
    return strncmp(name, text, size) == 0 && name[size] == '\0';
}

/* Returns whether the file has the service or the method. */
static bool has_service(const file_proto *file, const char *symbol)
{
    size_t size = strcspn(symbol, ".");
    for (size_t i = 0; i < file->n_service; i++) {
        const service_proto *service = file->service[i];
        if (!is_name(service->name, symbol, size) || service->n_method == 0)
            continue;
        for (size_t m = 0; symbol[size] == '.' && m < service->n_method; m++)
            if (strcmp(service->method[m]->name, symbol + size + 1) == 0)
                return true;
        return symbol[size] == '\0';
    }
    return false;
}

static const message_proto *find_message(message_proto *const *messages, size_t count, const char *text,
                                         size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (is_name(messages[i]->name, text, size))
            return messages[i];
    return NULL;
}

static bool has_enum(Google__Protobuf__EnumDescriptorProto *const *enums, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(enums[i]->name, name) == 0)
            return true;
    return false;
}

/* Returns whether the file has the message or the enum, which may be nested in messages. */
static bool has_type(const file_proto *file, const char *symbol)
{
    size_t size = strcspn(symbol, ".");
    const message_proto *message = find_message(file->message_type, file->n_message_type, symbol, size);
    bool found = message != NULL || has_enum(file->enum_type, file->n_enum_type, symbol);
    while (message != NULL && symbol[size] == '.') {
        const message_proto *outer = message;
        symbol += size + 1;
        size = strcspn(symbol, ".");
        message = find_message(outer->nested_type, outer->n_nested_type, symbol, size);
        found = message != NULL || has_enum(outer->enum_type, outer->n_enum_type, symbol);
    }
    return found;
}

bool grpc_descriptors_by_symbol(const struct grpc_descriptors *descriptors, const char *symbol,
                                struct grpc_files *out)
{
    for (size_t i = 0; i < descriptors->set->n_file; i++) {
        const file_proto *file = descriptors->set->file[i];
        size_t size = strlen(file->package);
        if (strncmp(file->package, symbol, size) != 0 || symbol[size] != '.')
            continue;
        if (has_service(file, symbol + size + 1) || has_type(file, symbol + size + 1)) {
            collect(descriptors, i, out);
            return true;
        }
    }
    return false;
}
