/*
 * The descriptors of all services and of what they import, options included: a packed
 * google.protobuf.FileDescriptorSet.
 */
#ifndef SCREENING_PROTO_SCREENING_V1_DESCRIPTORS_H
#define SCREENING_PROTO_SCREENING_V1_DESCRIPTORS_H

#include <stddef.h>

extern const char screening_descriptor_set[];
extern const size_t screening_descriptor_set_size;

#endif
