/*
 * The booking protocol, for spin. README.md names the function behind every step, the configurations, and what is left out.
 *
 * A d_step or an atomic block is one step. A step of a database is one transaction: what the batch of a writer does between the
 * lock on the log's head and COMMIT. A batch of several commands equals several steps with nothing in between. An answer is part of
 * the step that commits it, because the earlier a caller knows, the more the model demands; an answer that is lost demands nothing.
 *
 * Nothing in here measures time. Whatever a timer may do, may happen at any moment.
 */
#include "state.pml"
#include "claims.pml"
#include "hospital.pml"
#include "booking.pml"
#include "pairing.pml"
#include "world.pml"

init {
    byte i, j;
    atomic {
        for (i : 0 .. BOOKINGS - 1) {
            status[i] = NONE;
            reservation[i] = NONE;
            told_status[i] = NONE;
#ifdef HISTORY
            history_status[i] = NONE;
#endif
            creates[i] = CREATES;
#ifdef CANCELS
            cancels[i] = 1;
#endif
        }
        for (j : 0 .. SENDERS - 1) {
#ifdef ERAS
            sender[j].in_session = true;
            sender[j].own_era = booking_era;
            sender[j].peer_era = booking_peer;
#endif
            for (i : 0 .. BOOKINGS - 1) {
                sender[j].in_flight[i].step = IDLE;
                sender[j].in_flight[i].answer = NONE;
                run placement(j, i);
                run reserve_call(j, i);
            }
#if defined(DELETION) || defined(CRASHES)
            run booking_svc(j);
#endif
        }
        for (i : 0 .. BOOKINGS - 1) {
#ifdef READERS
            run customer(i);
#endif
            run stray_reserve(i);
        }
        run hospital_svc();
#ifdef ERAS
        run pairing();
#endif
#ifdef DELETION
        run deletion_job();
#endif
#ifdef HISTORY
        run history_svc();
#endif
        run operator();
        run claims();
#ifdef RESTORE
        backup.state = NO_BACKUP;
#endif
        i = 0;
        j = 0;
    }
}
