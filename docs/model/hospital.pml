/* hospital-svc: places, and what frees them. */

#ifdef ERAS
/* The first batch of a database session, and one that finds the database older than this writer left it, begins an era. */
inline hospital_takes_head() {
    if
    :: !in_session ->
        in_session = true;
        last_era++;
        hospital_era = last_era;
#ifdef DELETION
        since_deleted = (hospital_paired -> deleted : since_deleted);
#endif
#ifndef M_PAIRING_SKIPPED
        hospital_paired = false;
        pair_wanted = true;
#endif
        printf("hospital-svc: begins era %d\n", hospital_era)
    :: else
    fi
}
#else
inline hospital_takes_head() { skip }
#endif

#ifdef DELETION
inline delete_hospital() {
    deleted = true;
    last_deletion_id++;
    deletion_id = last_deletion_id
}
#endif

inline take_place(b) {
    reserved++;
    reservation[b] = LIVE;
    printf("    the place of booking %d becomes live; reserved %d\n", b + 1, reserved)
}

/* The rule for one Reserve of a call that is executed. */
inline reserve(b, outcome) {
    if
#ifdef M_REPEAT_TAKES_AGAIN
    :: reservation[b] == LIVE && reserved < CAPACITY ->
        outcome = GRANTED;
        grants[b]++;
        take_place(b)
    :: reservation[b] == LIVE && reserved >= CAPACITY -> outcome = REFUSED
#else
    :: reservation[b] == LIVE -> outcome = GRANTED /* repeated: takes nothing */
#endif
    :: reservation[b] == RELEASED || reservation[b] == TOMBSTONE -> outcome = REFUSED
    :: reservation[b] == NONE ->
        if
#ifdef DELETION
        :: deleted -> outcome = REFUSED
#endif
        :: reserved >= CAPACITY -> outcome = REFUSED
        :: else ->
            outcome = GRANTED;
            grants[b]++;
            take_place(b)
        fi
    fi;
#ifdef G3
    if
    :: grants[b] > 1 -> VIOLATED("G3 idempotent: one booking was granted two places")
    :: else
    fi
#endif
}

#ifdef ERAS
#ifdef M_PAIRING_SKIPPED
#define IS_RECOVERING(own, peer) false
#else
#define IS_RECOVERING(own, peer) (!hospital_paired || own != hospital_peer || peer != hospital_era)
#endif
/* A call that names other eras, or comes in an era that is not paired, is not executed, and makes the services pair. */
inline execute(b, own_known, peer_known, outcome) {
    hospital_takes_head();
    if
    :: IS_RECOVERING(own_known, peer_known) ->
        outcome = RECOVERING;
        pair_wanted = true
    :: else -> reserve(b, outcome)
    fi
}
#else
#define execute(b, own, peer, outcome) reserve(b, outcome)
#endif

/* The way of one Reserve from the sender to hospital-svc and back. It may be doubled; losing it is part of the sender's steps. */
proctype reserve_call(byte p; byte b) {
    mtype outcome;
end:
    do
    :: d_step {
        sender[p].in_flight[b].request ->
        sender[p].in_flight[b].request = false;
        printf("hospital-svc: executes the Reserve of booking %d from sender %d\n", b + 1, p + 1);
        execute(b, sender[p].in_flight[b].own_era, sender[p].in_flight[b].peer_era, outcome);
        sender[p].in_flight[b].answer = outcome;
#ifdef ERAS
        sender[p].in_flight[b].answer_era = hospital_era;
#endif
        printf("    answer: %e\n", outcome);
        outcome = 0
    }
    :: d_step {
        sender[p].in_flight[b].request && faults > 0 && !stray[b].there ->
        faults--;
        stray[b].there = true;
#ifdef ERAS
        stray[b].own_era = sender[p].in_flight[b].own_era;
        stray[b].peer_era = sender[p].in_flight[b].peer_era;
#endif
        printf("network: doubles the Reserve of booking %d\n", b + 1)
    }
    od
}

/* A stray Reserve is executed, and its answer reaches nobody. */
proctype stray_reserve(byte b) {
    mtype outcome;
end:
    do
    :: d_step {
        stray[b].there ->
        printf("hospital-svc: executes a stray Reserve of booking %d\n", b + 1);
        execute(b, stray[b].own_era, stray[b].peer_era, outcome);
        printf("    answer, which nobody reads: %e\n", outcome);
        outcome = 0;
        stray[b].there = false;
#ifdef ERAS
        stray[b].own_era = 0;
        stray[b].peer_era = 0;
#endif
    }
    od
}

inline release(b) {
    if
    :: reservation[b] == LIVE ->
        reserved--;
        reservation[b] = RELEASED;
        printf("    the place of booking %d is freed; reserved %d\n", b + 1, reserved)
#ifndef M_NO_TOMBSTONE
    :: reservation[b] == NONE ->
        reservation[b] = TOMBSTONE;
        printf("    booking %d has no place: a tombstone\n", b + 1)
#endif
#ifdef M_RELEASE_TWICE
    :: reservation[b] == RELEASED && reserved > 0 -> reserved--
#endif
    :: else
    fi
}

#ifdef M_DELETION_KEEPS_PLACE
#define RELEASES(type) (type == CANCELLED || type == REJECTED || type == RELEASED)
#else
#define RELEASES(type) (type == CANCELLED || type == REJECTED || type == FORCE_CANCELLED || type == RELEASED)
#endif

/*
 * While the era is not paired, a confirmed booking takes its place again, whatever the capacity. A booking is confirmed only after
 * its grant was committed, so the place is missing only if the database reverted.
 */
#if defined(ERAS) && !defined(M_CATCHING_UP_SKIPPED)
#define REINSTATES(type) (!hospital_paired && type == CONFIRMED)
#else
#define REINSTATES(type) false
#endif

inline apply_booking_event(kind, b) {
    if
    :: RELEASES(kind) -> release(b)
    :: REINSTATES(kind) && reservation[b] != LIVE -> take_place(b)
    :: else
    fi
}

proctype hospital_svc() {
    byte b;
end:
    do
    /* Follows the booking log. Whatever was lost, doubled or overtaken, only the event after the cursor is applied. */
#ifdef M_CURSOR_APART
    :: d_step {
        cursor < head ->
        cursor++;
        printf("hospital-svc: moves its cursor to event %d, without the effect\n", cursor)
    };
        if
        :: d_step {
            printf("hospital-svc: commits the effect of event %d\n", cursor);
            b = booking_log[cursor - 1].booking;
            apply_booking_event(booking_log[cursor - 1].type, b);
            b = 0
        }
        :: d_step {
            faults > 0 ->
            faults--;
            printf("hospital-svc: crashes\n")
        }
        fi
#else
    :: d_step {
        cursor < head ->
        hospital_takes_head();
        cursor++;
        b = booking_log[cursor - 1].booking;
        printf("hospital-svc: applies event %d: booking %d is %e\n", cursor, b + 1, booking_log[cursor - 1].type);
        apply_booking_event(booking_log[cursor - 1].type, b);
        b = 0
    }
#endif
    od
}
