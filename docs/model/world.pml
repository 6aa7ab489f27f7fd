/* Readers, the operator, history-svc. CreateBooking and CancelBooking arrive in booking.pml. */

#ifdef READERS
#ifdef READS_ONLY_OUTCOMES
#define READS(b) (status[b] != REQUESTED)
#else
#define READS(b) true
#endif
/* GetBooking, at any moment. The call that sees the least begins when it reads, so it is one step. */
proctype customer(byte b) {
end:
    do
    :: d_step {
        status[b] != NONE && READS(b) && (SEES_LESS(b) || version[b] > told_version[b]) ->
        printf("booking-svc: a reader sees that booking %d is %e, version %d\n", b + 1, status[b], version[b]);
#ifdef G2
        if
        :: SEES_LESS(b) -> VIOLATED("G2 nobody sees less than was told")
        :: else
        fi;
#endif
        told_status[b] = status[b];
        told_version[b] = version[b]
    }
    od
}
#endif

/* Ends traffic and faults, at any moment. What has begun comes to its end. */
inline become_calm() {
    calm = true;
    faults = 0;
    for (i : 0 .. BOOKINGS - 1) {
        creates[i] = 0;
        cancels[i] = 0;
    }
    i = 0;
    printf("traffic and faults end\n")
}

proctype operator() {
    byte i;
end:
    do
    :: d_step { !calm -> become_calm() }
#ifdef DELETION
    :: d_step {
        !calm && may_delete ->
        may_delete = false;
        printf("hospital-svc: deletes the hospital\n");
        hospital_takes_head();
        delete_hospital()
    }
#endif
#ifdef ERAS
    /*
     * A Pair that came late may leave booking-svc with another era. G2 promises agreement with the next booking only, whose Reserve
     * names that era. Such a booking is requested then; it is for another hospital, and changes nothing else.
     */
    :: d_step {
        calm && pair_step == IDLE && !pair_wanted && (booking_peer != hospital_era || booking_era != hospital_peer) ->
        pair_wanted = true;
        printf("hospital-svc: the Reserve of another booking names other eras\n")
    }
    /* The process dies, or its session ends. Reserves that have arrived may still be executed, by the next one. */
    :: atomic {
        faults > 0 ->
        faults--;
        printf("hospital-svc: crashes\n");
        hospital_forgets();
    }
#ifdef RESTORE
    :: d_step {
        backup.state == NO_BACKUP && !calm ->
        copy_to_backup();
        printf("operator: takes a backup of hospital-svc's database\n")
    }
    /* Its process is stopped, or its open session ends with the file. */
    :: atomic {
        backup.state == IS_KEPT && !calm ->
        printf("operator: restores the backup\n");
        copy_from_backup();
        hospital_forgets()
    }
#endif
#endif
    od
}

#ifdef HISTORY
#ifdef M_HISTORY_IGNORES_VERSION
#define VERSION_COUNTS(n) true
#else
#define VERSION_COUNTS(n) (booking_log[n].version > history_version[booking_log[n].booking])
#endif

/* history-svc follows the booking log. A message that arrives again, out of order, is a dead letter that is replayed. */
inline project(n) {
    if
    :: booking_log[n].type != RELEASED && VERSION_COUNTS(n) ->
        history_status[booking_log[n].booking] = booking_log[n].type;
        history_version[booking_log[n].booking] = booking_log[n].version
    :: else
    fi
}

proctype history_svc() {
    byte i;
end:
    do
    :: d_step {
        history_cursor < head ->
        history_cursor++;
        project(history_cursor - 1);
        printf("history-svc: applies event %d\n", history_cursor)
    }
    :: atomic {
        faults > 0 && history_cursor > 0 ->
        faults--;
        select(i : 0 .. history_cursor - 1);
        project(i);
        printf("history-svc: applies event %d again\n", i + 1);
        i = 0
    }
    od
}
#endif
