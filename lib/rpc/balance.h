/*
 * Chooses the backend of a call, and ejects backends that do not answer. A backend is one process that serves
 * the calls of a channel. Pure: the caller passes in the current time and the random number, and there are no
 * locks. Not thread-safe.
 *
 * A backend is usable if it is connected, not draining, not ejected, not leaving, and if the time has passed
 * that it asked for when it last refused a call. A call goes to the one of two random usable backends that
 * has fewer calls in flight.
 *
 * A backend is ejected after BALANCE_SILENT_MAX tries in a row without an answer, but at most half of the
 * connected backends are ejected at a time. The ejection lasts 1 s, and each further one twice as long, up to
 * 30 s, until the backend has answered a call or has a new connection. After that time, the backend returns
 * with a good health check.
 */
#ifndef SCREENING_RPC_BALANCE_H
#define SCREENING_RPC_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BALANCE_MAX = 64 /* bits of the masks of slots */, BALANCE_SILENT_MAX = 3 };
#define BALANCE_NONE SIZE_MAX

/* What a backend is good for at a time, the best first. */
enum balance_kind {
    BALANCE_USABLE,
    BALANCE_REFUSING, /* connected, but it has refused a call and asked for some time */
    BALANCE_EJECTED,  /* connected, not refusing */
    BALANCE_APART,    /* without a connection, which it may get within milliseconds */
    BALANCE_DRAINING, /* nothing is sent to it, so the call would certainly pause */
    BALANCE_KINDS,
};

/* The marks of a backend. */
struct balance_mark {
    bool used;      /* whether the slot has a backend */
    bool leaving;   /* whether the backend is no longer wanted, so that it gets no new call */
    int connection; /* id of the current connection; 0 = none */
    size_t in_flight;
    int64_t refuses_until_ns; /* no call is sent to it before this time while another backend is usable */
    int64_t paused_until_ns;  /* nothing is sent to a draining server before this time; 0 = never drained */
    int drained;              /* id of the connection on which the server replied DRAINING; 0 = none */
    int64_t answered_ns;      /* when it last answered a call; 0 = never */
    unsigned silent;          /* tries in a row without an answer */
    unsigned ejections;       /* since the backend last answered a call */
    int64_t ejected_until_ns; /* when the health check is due; 0 = not ejected */
};

struct balance {
    struct balance_mark marks[BALANCE_MAX]; /* by slot */
    size_t count;                           /* the slots from this one on are unused */
};

/* The sets of kinds that balance_pick may return: bits of enum balance_kind. */
enum {
    BALANCE_ONLY_USABLE = 1U << BALANCE_USABLE,
    BALANCE_ALSO_EJECTED = BALANCE_ONLY_USABLE | 1U << BALANCE_EJECTED,
    BALANCE_CONNECTED = BALANCE_ALSO_EJECTED | 1U << BALANCE_REFUSING,
    BALANCE_ANY = (1U << BALANCE_KINDS) - 1,
};

/*
 * Returns the slot of a backend of the best kind of `kinds`, or BALANCE_NONE. A slot whose bit is set in
 * `skip` is not returned.
 */
size_t balance_pick(const struct balance *balance, uint64_t skip, unsigned kinds, uint32_t random,
                    int64_t now_ns);

/*
 * Records that the server refused a call, with NOT_READY or for overload, and asked for `retry_after_ms`, of
 * which at most 10 s count.
 */
void balance_note_refusal(struct balance_mark *mark, uint32_t retry_after_ms, int64_t now_ns);

/*
 * Records that the server replied DRAINING on the connection with the id `connection`. Nothing is then sent
 * to it for `retry_after_ms`, but for at most 10 s.
 */
void balance_note_draining(struct balance_mark *mark, uint32_t retry_after_ms, int connection,
                           int64_t now_ns);

/*
 * Returns the time in ms, rounded up, until a request may be sent to the server, or 0 if one may be sent now.
 * `connection` is the id of the current connection, or 0 if there is none. If the server replied DRAINING on
 * this connection, the wait continues for up to 2 s, in steps of 50 ms, because the server is about to close
 * this connection, and a request sent on it may be lost.
 */
uint32_t balance_pause_ms(const struct balance_mark *mark, int connection, int64_t now_ns);

/* Records that the backend has answered a call. */
void balance_note_answer(struct balance_mark *mark, int64_t now_ns);

/* Records a try without an answer. Returns whether the backend in `slot` is now ejected for it. */
bool balance_note_silence(struct balance *balance, size_t slot, int64_t now_ns);

/*
 * Records a new connection. Tries, refusals and ejections before it no longer count, and the health check of
 * an ejected backend is due immediately.
 */
void balance_note_connected(struct balance_mark *mark, int connection, int64_t now_ns);

/* Returns whether a health check of an ejected backend is due. */
bool balance_check_is_due(const struct balance_mark *mark, int64_t now_ns);

enum balance_health { BALANCE_SERVING, BALANCE_NOT_SERVING, BALANCE_SILENT };

/*
 * Records the result of a health check. Silence doubles the ejection. A backend that answers, but does not
 * serve yet, is checked again after 1 s.
 */
void balance_note_check(struct balance_mark *mark, enum balance_health health, int64_t now_ns);

#endif
