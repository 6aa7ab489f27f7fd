/* The routes of REST: which method of which service answers what. Pure. */
#ifndef GATEWAY_SVC_REST_ROUTES_H
#define GATEWAY_SVC_REST_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

enum rest_body { REST_BODY_NONE, REST_BODY_OPTIONAL, REST_BODY_REQUIRED };

struct rest_route {
    const char *method;   /* "PUT" */
    const char *pattern;  /* "/hospitals/{hospitalId}/days/{date}", by the names of the request's fields */
    const char *service;  /* "screening.v1.HospitalService" */
    const char *rpc;      /* "SetCapacity" */
    enum rest_body body;  /* the request as JSON */
    const char *id;       /* of what it creates: the field that Idempotency-Key fills; else NULL */
    const char *if_match; /* the field that If-Match fills; else NULL */
};

/* What a path has at the place of a name in braces. Both end where the next "/" is, or at their NUL. */
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
 * The route of a request; refers to `path`. False if there is none: `allow` then names the methods that the
 * path has, "GET, HEAD, POST", and is empty if there is no such path.
 */
bool rest_route_find(const char *method, const char *path, struct rest_match *match,
                     char allow[REST_ALLOW_SIZE]);

#endif
