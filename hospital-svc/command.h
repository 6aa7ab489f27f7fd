/*
 * A command to the service's writer. It has a kind, parameters, and an answer, which the batch fills in. The
 * only other commands are the chunks of the booking log (class WRITER_EVENT).
 */
#ifndef SCREENING_HOSPITAL_SVC_COMMAND_H
#define SCREENING_HOSPITAL_SVC_COMMAND_H

#include "batch_pair.h"
#include "hospital.h"
#include "working_set.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "writer/writer.h"

enum command_kind {
    COMMAND_REGISTER,
    COMMAND_SET_CAPACITY,
    COMMAND_DELETE,
    COMMAND_RESERVE,
    COMMAND_PURGE,
    COMMAND_LOOK, /* reads the state of the era */
    COMMAND_PAIR, /* pairs the era with booking-svc's */
};

/* One item of a BatchReserve. Each item has its own outcome; a refused item does not fail the command. */
struct reserve_item {
    struct reserve wanted;
    bool malformed; /* whether it is answered with RESERVE_MALFORMED without reading `wanted` */
    /* out */
    enum reserve_outcome outcome;
    uint32_t remaining; /* number of free places of the day, if granted or repeated */
    /* owned by the batch, valid while it is applied */
    struct hospital_row *hospital;
    struct day_row *day;
    struct reservation_row *reservation;
};

struct command {
    struct writer_command base;
    enum command_kind kind;
    const char *traceparent;        /* the traceparent of the call, copied into its events; "" = none */
    struct arena *arena;            /* lives until the command is complete; holds the answer */
    const ProtobufCMessage *answer; /* out, if OK: for REGISTER, SET_CAPACITY and DELETE */
    /*
     * For SET_CAPACITY. Set when the batch first decides to change the capacity, and kept if the batch is
     * applied again.
     */
    struct uuid change_id;
    /* owned by the batch, valid while it is applied */
    struct hospital_row *hospital;
    struct day_row **days; /* for REGISTER, in the order of the request */
    struct day_row *day;   /* for SET_CAPACITY */
    /* For SET_CAPACITY: the change was committed, but the answer to its COMMIT was lost. */
    bool is_done;
    struct screening_day done; /* the day as of that change, except `reserved` */
    union {
        struct registration registration;
        struct capacity_wanted capacity;
        struct uuid hospital_id; /* for DELETE */
        struct {
            struct reserve_item *items;
            size_t count;
            int64_t booking_era, hospital_era; /* the eras that the caller knows; 0 = do not check */
            int64_t era;                       /* out: the era of the decision */
        } reserve;
        struct pair_look *look;
        struct pair_done *pair;
        struct {
            int32_t before; /* the purge covers ended reservations with an earlier screening date */
            int64_t max;
            int64_t purged; /* out: the number of rows deleted */
        } purge;
    } wanted;
};

#endif
