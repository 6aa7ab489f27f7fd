/* Maps REST requests (HTTP method and path) to the services' methods. Pure. */
#ifndef SCREENING_GATEWAY_SVC_REST_ROUTES_H
#define SCREENING_GATEWAY_SVC_REST_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

enum rest_body { REST_BODY_NONE, REST_BODY_OPTIONAL, REST_BODY_REQUIRED };

struct rest_route {
    const char *method;   /* "PUT" */
    const char *pattern;  /* with names of request fields, such as "/hospitals/{hospitalId}/days/{date}" */
    const char *service;  /* "screening.v1.HospitalService" */
    const char *rpc;      /* "SetCapacity" */
    enum rest_body body;  /* whether the request has a JSON body */
    const char *id;       /* for a creation, the id field, set from Idempotency-Key; otherwise NULL */
    const char *if_match; /* the field that is set from If-Match; otherwise NULL */
};

/* A path segment, and the name in braces that it matches. Neither ends with a NUL. */
struct rest_parameter {
    const char *name;
    size_t name_size;
    const char *value;
    size_t value_size;
};

enum { REST_PARAMETERS_MAX = 2, REST_ALLOW_SIZE = 48 };

struct rest_match {
    const struct rest_route *route;
    struct rest_parameter parameters[REST_PARAMETERS_MAX];
    size_t parameter_count;
};

/*
 * Finds the route of a request. The match points into `path`. If there is no route, returns false and sets
 * `allow` to the methods of the path, such as "GET, HEAD, POST", or to "" if no route has the path.
 */
bool rest_route_find(const char *method, const char *path, struct rest_match *match,
                     char allow[REST_ALLOW_SIZE]);

#endif
