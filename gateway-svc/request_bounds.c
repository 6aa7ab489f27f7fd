#include "request_bounds.h"

#include "protojson/protojson.h"

#include "screening/v1/hospital.pb-c.h"

/*
 * The methods that declare more than the others. These limits are far above real requests: a registration
 * with 400 days takes about 30 KB and 2,000 values.
 */
static const struct {
    const ProtobufCMessageDescriptor *input;
    struct request_bounds bounds;
} declared[] = {
    {&screening__v1__register_hospital_request__descriptor,
     {.body_bytes = REQUEST_BODY_MAX, .json_values = 4096}},
};

static const struct request_bounds of_all_others = {.body_bytes = 8192, .json_values = 128};

struct request_bounds request_bounds_of(const ProtobufCMessageDescriptor *input)
{
    for (size_t i = 0; i < sizeof declared / sizeof declared[0]; i++)
        if (input == declared[i].input)
            return declared[i].bounds;
    return of_all_others;
}

enum status request_bounds_check_json(const ProtobufCMessageDescriptor *input, const char *text, size_t size,
                                      struct error *error)
{
    return protojson_check_values(text, size, request_bounds_of(input).json_values, error);
}
