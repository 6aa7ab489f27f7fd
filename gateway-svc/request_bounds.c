#include "request_bounds.h"

#include "protojson/protojson.h"

#include "screening/v1/hospital.pb-c.h"

/*
 * These limits are far above real requests. 400 days take about 30 KB and 2,000 values, and all other
 * requests take much less.
 */
static const struct request_bounds of_registration = {.body_bytes = 65536, .json_values = 4096};
static const struct request_bounds of_all_others = {.body_bytes = 8192, .json_values = 128};

struct request_bounds request_bounds_of(const ProtobufCMessageDescriptor *input)
{
    return input == &screening__v1__register_hospital_request__descriptor ? of_registration : of_all_others;
}

enum status request_bounds_check_json(const ProtobufCMessageDescriptor *input, const char *text, size_t size,
                                      struct error *error)
{
    return protojson_check_values(text, size, request_bounds_of(input).json_values, error);
}
