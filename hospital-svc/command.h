/*
 * What the service's writer is handed, beside the chunks of the booking log (which are the only commands of
 * class WRITER_EVENT): the kind of command, what is wanted, and the answer, which batch.c fills in.
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
    COMMAND_LOOK, /* the state of the era */
    COMMAND_PAIR, /* the era is paired with booking-svc's */
};

/* One Reserve of a batch of them; each has an outcome of its own, none fails the command. */
struct reserve_item {
    struct reserve wanted;
    bool malformed; /* answered RESERVE_MALFORMED; `wanted` is not read */
    /* out */
    enum reserve_outcome outcome;
    uint32_t remaining; /* of the day, when granted or repeated */
    /* the batch's own, valid while it is applied */
    struct hospital_row *hospital;
    struct day_row *day;
    struct reservation_row *reservation;
};

struct command {
    struct writer_command base;
    enum command_kind kind;
    const char *traceparent;        /* of the call, "" if none; goes into its events */
    struct arena *arena;            /* lives until the command is complete; the answer lies in it */
    const ProtobufCMessage *answer; /* out, when OK: of REGISTER, SET_CAPACITY and DELETE */
    /* Of SET_CAPACITY, once it was decided to change the capacity; kept when the batch is applied again. */
    struct uuid change_id;
    /* the batch's own, valid while it is applied */
    struct hospital_row *hospital;
    struct day_row **days; /* of REGISTER, in the order of the request */
    struct day_row *day;   /* of SET_CAPACITY */
    bool is_done;          /* SET_CAPACITY: its change was committed, though its COMMIT's answer was lost */
    struct screening_day done; /* the day as it left it, reserved excepted */
    union {
        struct registration registration;
        struct capacity_wanted capacity;
        struct uuid hospital_id; /* of DELETE */
        struct {
            struct reserve_item *items;
            size_t count;
            int64_t booking_era, hospital_era; /* as the caller knows them; 0 = not checked */
            int64_t era;                       /* out: in which it was decided */
        } reserve;
        struct pair_look *look;
        struct pair_done *pair;
        struct {
            int32_t before; /* reservations that ended and whose screening date is earlier */
            int64_t max;
            int64_t purged; /* out */
        } purge;
    } wanted;
};

#endif
