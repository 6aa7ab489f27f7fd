/* booking-svc: intents, settles, the settler, cancellations, the job of a deletion. */

#define PLACEMENT sender[p].in_flight[b]

/*
 * A batch locks the log's head before it loads, so no other replica commits between its load and its commit. Without the lock,
 * other steps come in between.
 */
#ifdef M_NO_HEAD_LOCK
#define TRANSACTION atomic
#define LOADED skip } atomic { true ->
#else
#define TRANSACTION d_step
#define LOADED skip;
#endif

inline load(b) {
    seen = status[b];
    seen_version = version[b]
}

inline loaded_is_saved() {
    seen = 0;
    seen_version = 0
}

inline append(event_type, b) {
    assert(head < LOG_MAX);
    booking_log[head].type = event_type;
    booking_log[head].booking = b;
    booking_log[head].version = version[b];
    head++;
    printf("    event %d: booking %d is %e\n", head, b + 1, event_type)
}

#define IS_LIVE(s) (s == REQUESTED || s == CONFIRMED)

/* A transition of the booking as it was loaded, and its event. */
inline transition(b, to) {
#ifdef G3
    if
    :: seen != REQUESTED && (seen != CONFIRMED || (to != CANCELLED && to != FORCE_CANCELLED)) ->
        VIOLATED("G3 idempotent: a booking that has ended changes")
    :: else
    fi;
#endif
    status[b] = to;
    version[b] = seen_version + 1;
    append(to, b)
}

inline announce(b) {
    if
    :: !announced[b] ->
        announced[b] = true;
        append(REQUESTED, b)
    :: else
    fi
}

#ifdef ERAS
/* The first batch of a database session begins an era. */
inline booking_takes_head(p) {
    if
    :: !sender[p].in_session ->
        sender[p].in_session = true;
        last_era++;
        booking_era = last_era;
        printf("booking-svc: begins era %d\n", booking_era)
    :: else
    fi
}
/* After each commit the reserver learns the eras of the batch. */
inline note_eras(p) {
    sender[p].own_era = booking_era;
    sender[p].peer_era = booking_peer
}
#ifdef M_NO_FENCE
#define IS_OF_ANOTHER_ERA false
#else
#define IS_OF_ANOTHER_ERA (PLACEMENT.answer_era != booking_peer || PLACEMENT.own_era != booking_era)
#endif
#else
inline booking_takes_head(p) { skip }
inline note_eras(p) { skip }
#define IS_OF_ANOTHER_ERA false
#endif

#if defined(DELETION) && !defined(M_SETTLE_IGNORES_DELETION)
#define DELETION_IS_KNOWN (deletion != NONE)
#else
#define DELETION_IS_KNOWN false
#endif

inline end_placement(p, b) {
    PLACEMENT.step = IDLE;
    PLACEMENT.by_settler = false;
    PLACEMENT.answer = NONE;
#ifdef ERAS
    PLACEMENT.own_era = 0;
    PLACEMENT.peer_era = 0;
    PLACEMENT.answer_era = 0;
#endif
    if
    :: PLACEMENT.caller ->
        PLACEMENT.caller = false;
        tell(b)
    :: else
    fi
}

#ifdef M_SETTLE_UNGUARDED
#define MAY_BE_SETTLED(s) (s != NONE)
#else
#define MAY_BE_SETTLED(s) (s == REQUESTED)
#endif

/* Applies the outcome to the booking as loaded. */
inline decide_settle(p, b, outcome) {
    if
    :: !MAY_BE_SETTLED(seen) ->
        if
        :: outcome == GRANTED && !IS_LIVE(seen) -> append(RELEASED, b) /* a place granted to a booking that has ended */
        :: else
        fi
    :: else ->
        if
        :: outcome == REFUSED || (outcome == BUDGET_SPENT && !queued[b]) -> transition(b, REJECTED)
        :: else ->
            if
            :: DELETION_IS_KNOWN -> transition(b, FORCE_CANCELLED)
            :: else ->
                if
                :: outcome == GRANTED -> transition(b, CONFIRMED)
                :: outcome != GRANTED && PLACEMENT.by_settler -> skip
                :: outcome != GRANTED && !PLACEMENT.by_settler && queued[b] -> announce(b)
                :: outcome != GRANTED && !PLACEMENT.by_settler && !queued[b] -> transition(b, REJECTED)
                fi
            fi
        fi
    fi
}

/* A grant of another era is not settled. The place is asked for again; a booking of the settler waits for its next round. */
inline settle(p, b, outcome) {
    booking_takes_head(p);
    if
    :: outcome == GRANTED && IS_OF_ANOTHER_ERA && seen == REQUESTED ->
        printf("    the grant is of another era\n");
        note_eras(p);
        if
        :: PLACEMENT.by_settler -> end_placement(p, b)
        :: else ->
            PLACEMENT.step = READY;
            PLACEMENT.answer = NONE;
#ifdef ERAS
            PLACEMENT.own_era = 0;
            PLACEMENT.peer_era = 0;
            PLACEMENT.answer_era = 0;
#endif
        fi
    :: else ->
        decide_settle(p, b, outcome);
        note_eras(p);
        end_placement(p, b)
    fi
}

/* The answer does not come in time, or is lost. If the Reserve has not arrived yet, it may do so later, or never. */
inline leave_request(p, b) {
    if
    :: PLACEMENT.request ->
        PLACEMENT.request = false;
        if
        :: true ->
            stray[b].there = true;
#ifdef ERAS
            stray[b].own_era = PLACEMENT.own_era;
            stray[b].peer_era = PLACEMENT.peer_era;
#endif
            printf("    its Reserve is still under way\n")
        :: true -> printf("    its Reserve is lost\n")
        fi
    :: else
    fi
}

#ifdef ERAS
/* Another try is played only if it is executed or makes the services pair. Any other one is refused and changes nothing. */
#define MAY_SEND \
    ((in_session && hospital_paired && sender[p].own_era == hospital_peer && sender[p].peer_era == hospital_era) || \
     (pair_step == IDLE && !pair_wanted))
#else
#define MAY_SEND true
#endif

#ifdef M_REPLY_BEFORE_SETTLE
#define IS_READ (PLACEMENT.answer == GRANTED && !PLACEMENT.caller)
#else
#define IS_READ false /* an answer is read by the settle, which a crash may prevent */
#endif

/* Booking b in sender p, from its intent, or from when the settler takes it up, to its settle. */
proctype placement(byte p; byte b) {
    mtype seen;
    byte seen_version;
end:
    do
    /* CreateBooking: commits the intent, or finds the booking. */
    :: atomic {
        creates[b] > 0 ->
        if
        :: status[b] == NONE ->
#ifdef QUEUE
            if
            :: true -> queued[b] = true
            :: true
            fi
#endif
        :: else
        fi;
        d_step {
            creates[b]--;
            booking_takes_head(p);
            note_eras(p);
            printf("booking-svc: CreateBooking of booking %d at sender %d\n", b + 1, p + 1);
            PLACEMENT.caller = true;
            if
            :: status[b] == NONE ->
                status[b] = REQUESTED;
                version[b] = 1;
                PLACEMENT.step = READY;
                printf("    commits the intent: booking %d is REQUESTED\n", b + 1)
            :: status[b] == REQUESTED && (!announced[b] || PLACEMENT.step != IDLE) ->
                PLACEMENT.step = (PLACEMENT.step == IDLE -> READY : PLACEMENT.step)
            :: else ->
                PLACEMENT.caller = (PLACEMENT.step != IDLE); /* another call waits here for the outcome */
                tell(b)
            fi
        }
    }
    /* The settler takes up a booking that is REQUESTED and not in flight here, and announces it. */
#ifndef M_NO_SETTLER
    :: d_step {
        status[b] == REQUESTED && PLACEMENT.step == IDLE ->
        booking_takes_head(p);
        note_eras(p);
        printf("booking-svc: the settler of sender %d takes up booking %d\n", p + 1, b + 1);
        announce(b);
        PLACEMENT.step = READY;
        PLACEMENT.by_settler = true
    }
#endif
    :: d_step {
        PLACEMENT.step == READY && MAY_SEND ->
        PLACEMENT.step = SENT;
        PLACEMENT.request = true;
#ifdef ERAS
        PLACEMENT.own_era = sender[p].own_era;
        PLACEMENT.peer_era = sender[p].peer_era;
#endif
        printf("booking-svc: sender %d sends Reserve for booking %d\n", p + 1, b + 1)
    }
    /* The budget ends, or the breaker is open, before a Reserve was sent. */
    :: d_step {
        PLACEMENT.step == READY && faults > 0 && !PLACEMENT.by_settler ->
        faults--;
        printf("booking-svc: the budget for booking %d ends before a Reserve was sent\n", b + 1);
        load(b);
        settle(p, b, BUDGET_SPENT);
        loaded_is_saved()
    }
#ifdef M_REPLY_BEFORE_SETTLE
    :: d_step {
        PLACEMENT.step == SENT && PLACEMENT.answer == GRANTED && PLACEMENT.caller ->
        PLACEMENT.caller = false;
        told_status[b] = CONFIRMED;
        told_version[b] = 2;
        printf("booking-svc: tells the caller that booking %d is CONFIRMED, before the settle\n", b + 1)
    }
#endif
    :: TRANSACTION {
        PLACEMENT.step == SENT && (PLACEMENT.answer == GRANTED || PLACEMENT.answer == REFUSED) ->
        load(b);
        LOADED
        printf("booking-svc: sender %d settles booking %d: %e\n", p + 1, b + 1, PLACEMENT.answer);
        settle(p, b, PLACEMENT.answer);
        loaded_is_saved()
    }
    :: atomic {
        PLACEMENT.step == SENT && faults > 0 && !IS_READ ->
        faults--;
        printf("booking-svc: sender %d gets no answer for booking %d in time\n", p + 1, b + 1);
        leave_request(p, b);
        d_step {
            load(b);
            settle(p, b, UNKNOWN);
            loaded_is_saved()
        }
    }
#ifdef ERAS
    /* Not executed: the writer looks at the eras again. A caller's booking is tried again, another one by the next round. */
    :: d_step {
        PLACEMENT.step == SENT && PLACEMENT.answer == RECOVERING ->
        booking_takes_head(p);
        note_eras(p);
        printf("booking-svc: hospital-svc is recovering; booking %d waits\n", b + 1);
        if
        :: PLACEMENT.by_settler -> end_placement(p, b)
        :: else ->
            PLACEMENT.step = READY;
            PLACEMENT.answer = NONE;
            PLACEMENT.own_era = 0;
            PLACEMENT.peer_era = 0;
            PLACEMENT.answer_era = 0
        fi
    }
#endif
#ifdef CANCELS
    :: TRANSACTION {
        cancels[b] > 0 && status[b] != NONE ->
        cancels[b]--;
        load(b);
        LOADED
        printf("booking-svc: CancelBooking of booking %d at sender %d\n", b + 1, p + 1);
        booking_takes_head(p);
        if
        :: IS_LIVE(seen) -> transition(b, CANCELLED)
        :: else
        fi;
        note_eras(p);
        tell(b);
        loaded_is_saved()
    }
#endif
    od
}

#ifdef DELETION
#ifdef ERAS
#define CHUNK_FITS_ERA \
    (sender[p].chunk_era == deletion_cursor_era || sender[p].chunk_from_era == deletion_cursor_era)
#else
#define CHUNK_FITS_ERA true
#endif
inline forget_chunk(p) {
    sender[p].chunk = 0;
#ifdef ERAS
    sender[p].chunk_era = 0;
    sender[p].chunk_from_era = 0;
#endif
}
#endif

#if defined(DELETION) || defined(CRASHES)
/* What concerns a whole booking-svc process: the hospital log, and its crash. */
proctype booking_svc(byte p) {
    byte b;
end:
    do
#ifdef DELETION
    /* Receives the event of the hospital log that follows the cursor. */
    :: d_step {
        deleted && deletion_cursor == 0 && sender[p].chunk == 0 ->
        sender[p].chunk = deletion_id;
#ifdef ERAS
        sender[p].chunk_era = hospital_era;
        sender[p].chunk_from_era = deletion_cursor_era;
#endif
        printf("booking-svc: sender %d receives the event of the deletion\n", p + 1)
    }
    /* Applies it: the deletion is noted in the transaction that moves the cursor. */
    :: d_step {
        sender[p].chunk != 0 ->
        booking_takes_head(p);
        if
        :: deletion_cursor == 0 && CHUNK_FITS_ERA ->
            deletion_cursor = sender[p].chunk;
#ifdef ERAS
            deletion_cursor_era = sender[p].chunk_era;
#endif
            deletion = (deletion == NONE -> MARKED : deletion);
            printf("booking-svc: sender %d notes the deletion\n", p + 1)
        :: else -> printf("booking-svc: sender %d leaves an event that does not fit the cursor\n", p + 1)
        fi;
        note_eras(p);
        forget_chunk(p)
    }
#endif
#ifdef CRASHES
    /* Its placements are gone. Their callers are told nothing. */
    :: atomic {
        faults > 0 ->
        faults--;
        printf("booking-svc: sender %d crashes\n", p + 1);
        for (b : 0 .. BOOKINGS - 1) {
            leave_request(p, b);
            PLACEMENT.caller = false;
            end_placement(p, b)
        }
        b = 0;
#ifdef DELETION
        forget_chunk(p);
#endif
#ifdef ERAS
        sender[p].in_session = false;
        sender[p].own_era = 0;
        sender[p].peer_era = 0;
#endif
    }
#endif
    od
}
#endif

#ifdef DELETION
/*
 * Works through the bookings of the deleted hospital, here in chunks of one booking. Everything that it knows is in the database,
 * so one process stands for that of every replica, and for a crash between two chunks.
 */
proctype deletion_job() {
    mtype seen;
    byte seen_version;
end:
    do
    :: d_step {
        deletion == MARKED ->
        do
        :: next_booking < BOOKINGS && !IS_LIVE(status[next_booking]) -> next_booking++
        :: else -> break
        od;
        if
        :: next_booking < BOOKINGS ->
            load(next_booking);
            printf("booking-svc: the deletion job reaches booking %d\n", next_booking + 1);
            transition(next_booking, FORCE_CANCELLED);
            loaded_is_saved();
            next_booking++
        :: else ->
            deletion = DONE;
            next_booking = 0;
            printf("booking-svc: the deletion job has finished\n")
        fi
    }
    od
}
#endif
