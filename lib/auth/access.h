/*
 * The access rules of methods, which stand beside the methods in the .proto files as options
 * (proto/auth/v1/access.proto). Any thread.
 */
#ifndef SCREENING_AUTH_ACCESS_H
#define SCREENING_AUTH_ACCESS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "auth/caller.h"
#include "base/status.h"

struct access_rule {
    unsigned roles;    /* a set of enum auth_role: who may call the method */
    bool is_open;      /* whether everybody may call the method without a token */
    bool is_catalogue; /* whether everybody may, if the catalogue is public */
    bool only_reads;   /* whether the method changes nothing (NO_SIDE_EFFECTS) */
};

/*
 * Sets rules[i] to the rule of the method descriptor->methods[i], from a packed FileDescriptorSet. Returns
 * INVALID_ARGUMENT if the set lacks the service, a method or a rule, or is malformed, and RESOURCE_EXHAUSTED
 * when out of memory.
 */
MUST_CHECK enum status access_rules_load(const void *set, size_t set_size,
                                         const ProtobufCServiceDescriptor *descriptor,
                                         struct access_rule *rules, struct error *error);

/* Decides whether a caller may call a method, before any object is read. */
enum access_decision { ACCESS_ALLOWED, ACCESS_NEEDS_TOKEN, ACCESS_DENIED };

/* Pure. `roles` is the set of roles of the caller; 0 = it has no token. */
enum access_decision access_decide(const struct access_rule *rule, unsigned roles, bool public_catalogue);

#endif
