/*
 * The guarantees of docs/guarantees.md. Those of a state are checked in every state between two steps; those of an answer in the
 * step that gives it; G4 in every state in which nothing more can happen.
 *
 * `run` names the claim by which it expects a mutant to be refuted, and switches the others off (ONLY_*), so that the trace shows
 * the harm and not only its first sign.
 */

#if !defined(ONLY_G2) && !defined(ONLY_G3) && !defined(ONLY_G4)
#define G1
#endif
#if !defined(ONLY_G1) && !defined(ONLY_G3) && !defined(ONLY_G4)
#define G2
#endif
#if !defined(ONLY_G1) && !defined(ONLY_G2) && !defined(ONLY_G4)
#define G3
#endif
#if !defined(ONLY_G1) && !defined(ONLY_G2) && !defined(ONLY_G3)
#define G4
#endif

#if BOOKINGS == 1
#define COUNT(array, value) (array[0] == value)
#elif BOOKINGS == 2
#define COUNT(array, value) ((array[0] == value) + (array[1] == value))
#else
#define COUNT(array, value) ((array[0] == value) + (array[1] == value) + (array[2] == value))
#endif

#define VIOLATED(claim) \
    printf("VIOLATED "); \
    printf(claim); \
    printf("\n"); \
    assert(false)

/* A caller has been told the booking as it is committed now. */
inline tell(b) {
    told_status[b] = status[b];
    told_version[b] = version[b];
    printf("    the caller is told that booking %d is %e, version %d\n", b + 1, status[b], version[b]);
}

/* Whether a reader sees less than somebody was told before: an earlier version, or the same one with another status. */
#define SEES_LESS(b) (version[b] < told_version[b] || (version[b] == told_version[b] && status[b] != told_status[b]))

#ifdef ERAS
/* Until its era is paired, hospital-svc may lack places. It grants none. */
#define PLACES_COUNT (in_session && hospital_paired)
#else
#define PLACES_COUNT true
#endif

/* Whether a confirmed booking has no place. */
#define LACKS_PLACE(b) (status[b] == CONFIRMED && reservation[b] != LIVE)
#if BOOKINGS == 1
#define A_PLACE_IS_LACKING LACKS_PLACE(0)
#elif BOOKINGS == 2
#define A_PLACE_IS_LACKING (LACKS_PLACE(0) || LACKS_PLACE(1))
#else
#define A_PLACE_IS_LACKING (LACKS_PLACE(0) || LACKS_PLACE(1) || LACKS_PLACE(2))
#endif

/* G4: nothing is in flight any more, both logs are followed to their heads, and all databases agree. */
inline check_agreement() {
    for (i : 0 .. BOOKINGS - 1) {
        if
        :: status[i] == REQUESTED -> VIOLATED("G4 all services agree in the end: a booking stays REQUESTED")
        :: (status[i] == CONFIRMED) != (reservation[i] == LIVE) ->
            VIOLATED("G4 all services agree in the end: a place without its booking, or a booking without its place")
        :: else
        fi;
#ifdef HISTORY
        if
        :: history_status[i] != status[i] || history_version[i] != version[i] ->
            VIOLATED("G4 all services agree in the end: history-svc shows another status")
        :: else
        fi;
#endif
#ifdef DELETION
        if
        :: deleted && (status[i] == REQUESTED || status[i] == CONFIRMED) ->
            VIOLATED("G4 all services agree in the end: a booking at a deleted hospital is live")
        :: else
        fi;
#endif
        for (j : 0 .. SENDERS - 1) {
            if
            :: sender[j].in_flight[i].step != IDLE || sender[j].in_flight[i].caller ->
                VIOLATED("G4 all services agree in the end: a caller gets no answer")
            :: else
            fi
        }
    }
    if
    :: cursor != head -> VIOLATED("G4 all services agree in the end: the booking log is not followed")
    :: else
    fi;
#ifdef HISTORY
    if
    :: history_cursor != head -> VIOLATED("G4 all services agree in the end: history-svc does not follow the booking log")
    :: else
    fi;
#endif
#ifdef DELETION
    if
    :: deleted && (deletion != DONE || deletion_cursor != deletion_id) ->
        VIOLATED("G4 all services agree in the end: booking-svc has not applied the deletion")
    :: !deleted && deletion != NONE -> VIOLATED("G4 all services agree in the end: only booking-svc knows the deletion")
    :: else
    fi;
#endif
#ifdef ERAS
    if
    :: !in_session || !hospital_paired -> VIOLATED("G4 all services agree in the end: hospital-svc is not paired")
    :: else
    fi;
#endif
}

proctype claims() {
    byte i, j;
end:
    do
#ifdef G1
    :: d_step {
        reserved != COUNT(reservation, LIVE) -> VIOLATED("G1 never oversold: reserved is not the sum of the live reservations")
    }
    :: d_step { reserved > CAPACITY -> VIOLATED("G1 never oversold: more places are reserved than there are") }
    :: d_step { COUNT(status, CONFIRMED) > CAPACITY -> VIOLATED("G1 never oversold: more bookings are CONFIRMED than there are places") }
#endif
#ifdef G2
    :: d_step { PLACES_COUNT && A_PLACE_IS_LACKING -> VIOLATED("G2 nothing acknowledged is lost: a CONFIRMED booking has no place") }
#endif
#ifdef G4
    :: atomic {
        timeout ->
        d_step {
            check_agreement();
            i = 0;
            j = 0;
        };
        break
    }
#endif
#ifdef ONLY_G3
    :: false
#endif
    od
}
