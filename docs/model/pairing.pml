/* Pairing: hospital-svc and booking-svc agree on the eras of both databases before a place is granted. */

#ifdef ERAS
#ifdef DELETION
/* If hospital-svc is not paired, the cursor is set back to the head at the begin of the first era that was not. */
inline look_at_hospital_log(is_paired, is_known) {
    pair.told = deletion_cursor;
    pair.set_back = !is_paired && deletion_cursor != 0 && !is_known;
    if
    :: pair.set_back -> deletion_cursor = 0
    :: else
    fi;
}
#endif

/* booking-svc executes a Pair: from now on it settles only grants of this era that it has asked for in its own new era. */
inline pair_booking(p, wanted_era) {
    booking_takes_head(p);
    if
    :: booking_peer != wanted_era ->
        last_era++;
        booking_era = last_era;
        booking_peer = wanted_era;
        printf("    booking-svc: is paired with era %d, begins era %d\n", wanted_era, booking_era)
    :: else
    fi;
#ifdef DELETION
    deletion_cursor_era = wanted_era;
#endif
    note_eras(p)
}

inline forget_pair() {
    pair_step = IDLE;
    pair.era = 0;
    pair.peer = 0;
    pair.paired = false;
    pair.booking_era = 0;
    pair.head = 0;
    for (i : 0 .. BOOKINGS - 1) {
        pair.requested[i] = false
    }
    i = 0;
#ifdef DELETION
    pair.since_deleted = false;
    pair.knows_deletion = false;
    pair.set_back = false;
    pair.told = 0;
#endif
}

/* The call has no answer in time. If it has not arrived yet, it may do so later, or never. */
inline leave_pair() {
    if
    :: pair_step == ASKED ->
        if
        :: true ->
            stray_pair.era = pair.era;
#ifdef DELETION
            stray_pair.paired = pair.paired;
            stray_pair.since_deleted = pair.since_deleted;
#endif
            printf("    the Pair of era %d is still under way\n", pair.era)
        :: true -> skip
        fi
    :: else
    fi;
    forget_pair();
    pair_wanted = true
}

/* The memory of the process is gone. Its next batch begins a session. */
inline hospital_forgets() {
    leave_pair();
#ifdef DELETION
    from_start = false;
#endif
    in_session = false
}

/* Whether a booking in flight gets its place: hospital_reserve, for each of the answer's list. */
inline grant_requested() {
    for (i : 0 .. BOOKINGS - 1) {
        if
        :: pair.requested[i] && reservation[i] == NONE ->
            reserve(i, outcome);
            outcome = 0
        :: else
        fi
    }
    i = 0
}

/* The commit that ends an attempt. */
inline decide_pair() {
    if
    :: hospital_era != pair.era -> pair_wanted = true /* another era has begun */
#ifdef DELETION
    :: hospital_era == pair.era && !pair.set_back && pair.told != 0 && pair.told != deletion_id ->
        from_start = true;
        pair_wanted = true;
        printf("    the hospital log lacks what booking-svc has applied\n")
#endif
    :: else ->
        if
        :: !hospital_paired -> grant_requested()
        :: else
        fi;
#ifdef DELETION
        if
        :: pair.knows_deletion && !deleted ->
            delete_hospital();
            printf("    repeats the deletion\n")
        :: else
        fi;
        from_start = false;
#endif
        hospital_paired = true;
        hospital_peer = pair.booking_era;
        printf("    era %d is paired with era %d\n", hospital_era, hospital_peer)
    fi;
    forget_pair()
}

proctype pairing() {
    byte i, p;
    mtype outcome;
end:
    do
    :: d_step {
        pair_wanted && pair_step == IDLE ->
        pair_wanted = false;
        hospital_takes_head();
        pair_wanted = false;
        pair.era = hospital_era;
        pair.peer = hospital_peer;
#ifdef DELETION
        pair.paired = hospital_paired && !from_start;
        pair.since_deleted = !hospital_paired && since_deleted && !from_start;
#else
        pair.paired = hospital_paired;
#endif
        pair_step = ASKED;
        printf("hospital-svc: sends Pair for era %d\n", pair.era)
    }
    :: atomic {
        pair_step == ASKED ->
        select(p : 0 .. SENDERS - 1);
        d_step {
            printf("booking-svc: sender %d executes Pair\n", p + 1);
#ifdef DELETION
            look_at_hospital_log(pair.paired, pair.since_deleted);
            pair.knows_deletion = (deletion != NONE && (!pair.paired || from_start));
#endif
            pair_booking(p, pair.era);
            pair.booking_era = booking_era;
            pair.head = head;
            for (i : 0 .. BOOKINGS - 1) {
                pair.requested[i] = (!pair.paired && status[i] == REQUESTED && !announced[i])
            }
            i = 0;
            pair_step = ANSWERED;
            p = 0
        }
    }
    :: d_step {
        pair_step == ANSWERED && cursor >= pair.head ->
        hospital_takes_head();
        printf("hospital-svc: commits the pairing\n");
        decide_pair()
    }
    :: atomic {
        pair_step != IDLE && faults > 0 ->
        faults--;
        printf("hospital-svc: gets no answer to Pair\n");
        leave_pair()
    }
    /* A Pair that comes late, perhaps in a later era. */
    :: atomic {
        stray_pair.era != 0 ->
        select(p : 0 .. SENDERS - 1);
        d_step {
            printf("booking-svc: sender %d executes a Pair that comes late\n", p + 1);
#ifdef DELETION
            if
            :: !stray_pair.paired && deletion_cursor != 0 && !stray_pair.since_deleted -> deletion_cursor = 0
            :: else
            fi;
            stray_pair.paired = false;
            stray_pair.since_deleted = false;
#endif
            pair_booking(p, stray_pair.era);
            stray_pair.era = 0;
            p = 0
        }
    }
    od
}

#ifdef RESTORE
inline copy_to_backup() {
    backup.state = IS_KEPT;
    for (i : 0 .. BOOKINGS - 1) {
        backup.reservation[i] = reservation[i];
        backup.grants[i] = grants[i]
    }
    i = 0;
    backup.reserved = reserved;
    backup.cursor = cursor;
    backup.era = hospital_era;
    backup.peer = hospital_peer;
    backup.paired = hospital_paired;
#ifdef DELETION
    backup.deleted = deleted;
    backup.since_deleted = since_deleted;
    backup.deletion_id = deletion_id;
#endif
}

/* The copy is used once, and cleared, because what it held no longer matters. */
inline copy_from_backup() {
    backup.state = IS_USED;
    for (i : 0 .. BOOKINGS - 1) {
        reservation[i] = backup.reservation[i];
        backup.reservation[i] = 0;
        grants[i] = backup.grants[i];
        backup.grants[i] = 0
    }
    i = 0;
    reserved = backup.reserved;
    backup.reserved = 0;
    cursor = backup.cursor;
    backup.cursor = 0;
    hospital_era = backup.era;
    backup.era = 0;
    hospital_peer = backup.peer;
    backup.peer = 0;
    hospital_paired = backup.paired;
    backup.paired = false;
#ifdef DELETION
    deleted = backup.deleted;
    backup.deleted = false;
    since_deleted = backup.since_deleted;
    backup.since_deleted = false;
    deletion_id = backup.deletion_id;
    backup.deletion_id = 0;
#endif
}
#endif
#endif
