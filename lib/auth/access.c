#include "auth/access.h"

#include <string.h>

#include "base/arena.h"

#include "auth/v1/access.pb-c.h"
#include "google/protobuf/descriptor.pb-c.h"

/* The number of the option in access.proto, which protobuf-c does not know as an extension. */
enum { ACCESS_OPTION = 50301 };

typedef Google__Protobuf__FileDescriptorSet set_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__MethodDescriptorProto method_proto;
typedef Google__Protobuf__MethodOptions method_options;

static const service_proto *find_service(const set_proto *set, const ProtobufCServiceDescriptor *wanted)
{
    for (size_t i = 0; i < set->n_file; i++) {
        const Google__Protobuf__FileDescriptorProto *file = set->file[i];
        if (strcmp(file->package, wanted->package) != 0)
            continue;
        for (size_t s = 0; s < file->n_service; s++)
            if (strcmp(file->service[s]->name, wanted->short_name) == 0)
                return file->service[s];
    }
    return NULL;
}

static const method_options *find_options(const service_proto *service, const char *method)
{
    for (size_t i = 0; i < service->n_method; i++)
        if (strcmp(service->method[i]->name, method) == 0)
            return service->method[i]->options;
    return NULL;
}

/* Returns the bit of a role in the set, or 0 if this version does not know the role. */
static unsigned role_bit(Auth__V1__Role role)
{
    switch (role) {
    case AUTH__V1__ROLE__CUSTOMER:
        return AUTH_CUSTOMER;
    case AUTH__V1__ROLE__STAFF:
        return AUTH_STAFF;
    case AUTH__V1__ROLE__ADMIN:
        return AUTH_ADMIN;
    case AUTH__V1__ROLE__AUDITOR:
        return AUTH_AUDITOR;
    case AUTH__V1__ROLE__SERVICE:
        return AUTH_SERVICE;
    case AUTH__V1__ROLE__NOBODY:
    default:
        return 0;
    }
}

/*
 * Reads the option of a method. The payload of an unknown field of this type starts with its length, which is
 * the only field of `access` as a message within a message. Returns false if there is no option, or if it is
 * malformed.
 */
static bool read_option(const method_options *options, struct arena *arena, struct access_rule *rule)
{
    const Auth__V1__Access *access = NULL;
    for (size_t i = 0; options != NULL && i < options->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &options->base.unknown_fields[i];
        size_t skip = 0;
        if (field->tag != ACCESS_OPTION || field->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            continue;
        while (skip < field->len && (field->data[skip] & 0x80) != 0)
            skip++; /* the bytes of the length, except the last one */
        if (skip++ < field->len)
            access = auth__v1__access__unpack(arena_allocator(arena), field->len - skip, field->data + skip);
    }
    if (access == NULL)
        return false;
    *rule = (struct access_rule){
        .is_open = access->open,
        .is_catalogue = access->catalogue,
        .only_reads = options->idempotency_level ==
                      GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__NO_SIDE_EFFECTS,
    };
    for (size_t i = 0; i < access->n_roles; i++)
        rule->roles |= role_bit(access->roles[i]);
    return rule->is_open || rule->roles != 0;
}

static enum status load(const set_proto *set, struct arena *arena,
                        const ProtobufCServiceDescriptor *descriptor, struct access_rule *rules,
                        struct error *error)
{
    const service_proto *service = find_service(set, descriptor);
    for (unsigned i = 0; i < descriptor->n_methods; i++) {
        const char *method = descriptor->methods[i].name;
        if (service == NULL || !read_option(find_options(service, method), arena, &rules[i]))
            return error_invalid(error, "%s/%s: the method has no access rule", descriptor->name, method);
    }
    return STATUS_OK;
}

enum status access_rules_load(const void *set, size_t set_size, const ProtobufCServiceDescriptor *descriptor,
                              struct access_rule *rules, struct error *error)
{
    struct arena arena;
    arena_init(&arena);
    const set_proto *files =
        google__protobuf__file_descriptor_set__unpack(arena_allocator(&arena), set_size, set);
    enum status status = files != NULL ? load(files, &arena, descriptor, rules, error)
                                       : error_invalid(error, "the set of descriptors is malformed");
    arena_fini(&arena);
    return status;
}

enum access_decision access_decide(const struct access_rule *rule, unsigned roles, bool public_catalogue)
{
    if (rule->is_open || (rule->is_catalogue && public_catalogue) || (rule->roles & roles) != 0)
        return ACCESS_ALLOWED;
    return roles == 0 ? ACCESS_NEEDS_TOKEN : ACCESS_DENIED;
}
