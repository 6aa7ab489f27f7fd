/* The bounds, and all variables: two databases, the memory of the processes, and what is under way between them. */

#ifndef BOOKINGS
#define BOOKINGS 2
#endif
#ifndef CAPACITY
#define CAPACITY 1 /* of the one day of the one hospital; each booking is for one person */
#endif
#ifndef SENDERS
#define SENDERS 1 /* booking-svc processes on one database */
#endif
#ifndef CREATES
#define CREATES 1 /* CreateBooking calls for each booking; those after the first are repetitions */
#endif
#ifndef FAULTS
#define FAULTS 2 /* messages lost, late or doubled, budgets that end, and crashes: together */
#endif
#ifndef LOG_MAX
#define LOG_MAX 10
#endif

/* Statuses of bookings, and the types of the events that announce them. */
mtype = {NONE, REQUESTED, CONFIRMED, REJECTED, CANCELLED, FORCE_CANCELLED, RELEASED};
/* States of reservations; RELEASED, too. */
mtype = {LIVE, TOMBSTONE};
/* Steps of a placement: not in flight; to be sent; sent. */
mtype = {IDLE, READY, SENT};
/* Outcomes of a placement. All but UNKNOWN and BUDGET_SPENT are answers to Reserve. */
mtype = {GRANTED, REFUSED, RECOVERING, UNKNOWN, BUDGET_SPENT};
/* States of a deletion in booking-svc's database. */
mtype = {MARKED, DONE};

typedef event {
    mtype type;
    byte booking;
    byte version;
}

/* ---- booking-svc's database ---- */

mtype status[BOOKINGS];
byte version[BOOKINGS];
bool announced[BOOKINGS];
bool queued[BOOKINGS]; /* queue_if_unavailable */
event booking_log[LOG_MAX];
byte head; /* seq of the last event of the booking log */

/* ---- hospital-svc's database ---- */

mtype reservation[BOOKINGS];
byte reserved;
byte cursor; /* seq of the last event of the booking log that was applied */
byte grants[BOOKINGS]; /* only for a claim: how often the booking was granted a place */

#ifdef DELETION
/*
 * The hospital log. Its only event is the deletion, so its seq is 0 or 1. The event's id tells two logs apart that share a past.
 */
bool deleted;
byte deletion_id; /* 0 = no event */
byte last_deletion_id;

/* In booking-svc's database. */
mtype deletion = NONE;
byte next_booking; /* the job's progress: earlier bookings are done */
byte deletion_cursor; /* the id of the event that was applied; 0 = none */
#endif

/* ---- memory of the processes, and messages ---- */

/* The bookings in flight in one booking-svc process. */
typedef placement_of {
    mtype step;
    bool by_settler;
    bool caller;  /* whether a call waits for the outcome */
    bool request; /* whether the Reserve is under way */
    mtype answer; /* the answer that is under way */
#ifdef ERAS
    byte own_era, peer_era; /* the eras in the request */
    byte answer_era;
#endif
}

typedef sender_of {
    placement_of in_flight[BOOKINGS];
#ifdef DELETION
    byte chunk; /* the id of an event of the hospital log that has arrived; 0 = none */
#ifdef ERAS
    byte chunk_era, chunk_from_era;
#endif
#endif
#ifdef ERAS
    bool in_session;        /* whether this writer has committed in its database session */
    byte own_era, peer_era; /* as of this writer's last batch */
#endif
}

sender_of sender[SENDERS];

/*
 * A Reserve that nobody waits for any more, or a copy of one. One bit is enough: without an era, all Reserves of a booking are
 * equal, only one of them can take the place, and when that happens is open.
 */
typedef stray_of {
    bool there;
#ifdef ERAS
    byte own_era, peer_era;
#endif
}
stray_of stray[BOOKINGS];

#ifdef ERAS
/* In hospital-svc's database. Ids of eras are random; here they are counted, and only compared for equality. */
byte hospital_era = 1;
byte hospital_peer = 1;
bool hospital_paired = true;
/* In booking-svc's database. */
byte booking_era = 1;
byte booking_peer = 1;
byte last_era = 1;
bool in_session = true; /* whether hospital-svc's writer has committed in its session, and the database is as it left it */
#ifdef DELETION
bool since_deleted;      /* since_seq: whether the deletion was in the log when the first unpaired era began */
byte deletion_cursor_era = 1;
#endif
#endif

#ifdef ERAS
/* Steps of an attempt. */
mtype = {ASKED, ANSWERED};

/* One attempt of hospital-svc's pairing thread: what the look has read, and booking-svc's answer. */
typedef pair_of {
    byte era, peer; /* of hospital-svc's database at the look */
    bool paired;
    byte booking_era;
    byte head;
    bool requested[BOOKINGS]; /* the bookings in flight */
#ifdef DELETION
    bool since_deleted;
    bool knows_deletion, set_back;
    byte told; /* the id of the event that booking-svc had applied */
#endif
}
pair_of pair;
mtype pair_step = IDLE;
bool pair_wanted;
#ifdef DELETION
bool from_start; /* whether booking-svc must follow the hospital log from its start */
#endif

/* A Pair call that nobody waits for any more. */
typedef stray_pair_of {
    byte era;
#ifdef DELETION
    bool paired, since_deleted;
#endif
}
stray_pair_of stray_pair;

#ifdef RESTORE
/* A copy of hospital-svc's database. */
mtype = {NO_BACKUP, IS_KEPT, IS_USED};
typedef backup_of {
    mtype state;
    mtype reservation[BOOKINGS];
    byte reserved;
    byte cursor;
    byte grants[BOOKINGS];
    byte era, peer;
    bool paired;
#ifdef DELETION
    bool deleted, since_deleted;
    byte deletion_id;
#endif
}
backup_of backup;
#endif
#endif

#ifdef HISTORY
byte history_cursor;
mtype history_status[BOOKINGS];
byte history_version[BOOKINGS];
#endif

/* ---- the world ---- */

byte creates[BOOKINGS];
byte cancels[BOOKINGS];
byte faults = FAULTS;
#ifdef DELETION
bool may_delete = true;
#endif
bool calm; /* whether traffic and faults have ended */

/* What callers were told last. */
mtype told_status[BOOKINGS];
byte told_version[BOOKINGS];
