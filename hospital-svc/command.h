/*
 * A command for the service's writer. It has a kind, parameters, and an answer, which the batch fills in. The
 * only other commands are chunks of the booking log (class WRITER_EVENT).
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
    COMMAND_PAIR, /* pairs the era with that of booking-svc */
};

/* One item of a BatchReserve. Each item has its own outcome; a refused item does not fail the command. */
struct reserve_item {
    struct reserve wanted;
    bool malformed; /* whether to answer RESERVE_MALFORMED and ignore `wanted` */
    /* out */
    enum reserve_outcome outcome;
    uint32_t remaining; /* number of free places on the day, if granted or repeated */
    /* owned by the batch, valid while the batch is applied */
    struct hospital_row *hospital;
    struct day_row *day;
    struct reservation_row *reservation;
};

struct command {
    struct writer_command writer;
    enum command_kind kind;
    const char *traceparent;        /* traceparent of the call, for the command's events; "" = none */
    struct arena *arena;            /* lives until the command is complete; holds the answer */
    const ProtobufCMessage *answer; /* out: the answer to REGISTER, SET_CAPACITY or DELETE, if OK */
    /*
     * For SET_CAPACITY: identifies the change. The batch sets the id when it first decides to change the
     * capacity, and keeps the id if the batch is applied again.
     */
    struct uuid change_id;
    /* owned by the batch, valid while the batch is applied */
    struct hospital_row *hospital;
    struct day_row **days; /* for REGISTER, in the order of the request */
    struct day_row *day;   /* for SET_CAPACITY */
    /*
     * For SET_CAPACITY: whether an earlier attempt at the batch, whose COMMIT result was lost, committed the
     * change.
     */
    bool is_done;
    struct screening_day done; /* if is_done: the day as the change left it, except `reserved` */
    union {
        struct registration registration;
        struct capacity_wanted capacity;
        struct uuid hospital_id; /* for DELETE */
        struct {
            struct reserve_item *items;
            size_t count;
            int64_t booking_era, hospital_era; /* the eras that the caller sent; 0 = do not check */
            int64_t era;                       /* out: the era in which the command was decided */
        } reserve;
        struct pair_look *look;
        struct pair_done *pair;
        struct {
            int32_t before; /* purge released reservations and tombstones of screening dates before this */
            int64_t max;
            int64_t purged; /* out: the number of rows deleted */
        } purge;
    } wanted;
};

#endif
