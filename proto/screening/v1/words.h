/*
 * The words of the contract that the .proto files do not declare: names of logs, types of events, reasons of
 * refusals. docs/wire-protocol.md explains them. A program must accept words that are not listed here,
 * because later versions may add some.
 */
#ifndef SCREENING_PROTO_SCREENING_V1_WORDS_H
#define SCREENING_PROTO_SCREENING_V1_WORDS_H

/* Names of logs. They are the topics of pub/sub and the values of LogStatus.log and HistoryEntry.source. */
#define SCREENING_LOG_BOOKING  "booking"
#define SCREENING_LOG_HOSPITAL "hospital"

/* Values of LogStatus.state. */
#define SCREENING_LOG_STATE_FOLLOWING    "FOLLOWING"
#define SCREENING_LOG_STATE_CATCHING_UP  "CATCHING_UP"
#define SCREENING_LOG_STATE_DISCONNECTED "DISCONNECTED"
#define SCREENING_LOG_STATE_DIVERGED     "DIVERGED"
#define SCREENING_LOG_STATE_STOPPED      "STOPPED"

/* Values of Event.type in the hospital log. */
#define SCREENING_EVENT_HOSPITAL_REGISTERED   "hospital.registered"
#define SCREENING_EVENT_HOSPITAL_CAPACITY_SET "hospital.capacity_set"
#define SCREENING_EVENT_HOSPITAL_DELETED      "hospital.deleted"

/* Values of Event.type in the booking log. */
#define SCREENING_EVENT_BOOKING_REQUESTED       "booking.requested"
#define SCREENING_EVENT_BOOKING_CONFIRMED       "booking.confirmed"
#define SCREENING_EVENT_BOOKING_REJECTED        "booking.rejected"
#define SCREENING_EVENT_BOOKING_CANCELLED       "booking.cancelled"
#define SCREENING_EVENT_BOOKING_FORCE_CANCELLED "booking.force_cancelled"
#define SCREENING_EVENT_BOOKING_RELEASED        "booking.released"

/* Values of rpc.v1.Response.reason, ReserveResult.reason and Booking.status_reason. */
#define SCREENING_REASON_SOLD_OUT                "SOLD_OUT"
#define SCREENING_REASON_DATE_NOT_OPEN           "DATE_NOT_OPEN"
#define SCREENING_REASON_HOSPITAL_NOT_FOUND      "HOSPITAL_NOT_FOUND"
#define SCREENING_REASON_HOSPITAL_DELETED        "HOSPITAL_DELETED"
#define SCREENING_REASON_RELEASED                "RELEASED"
#define SCREENING_REASON_HOSPITAL_UNAVAILABLE    "HOSPITAL_UNAVAILABLE"
#define SCREENING_REASON_BUDGET_SPENT            "BUDGET_SPENT"
#define SCREENING_REASON_ABANDONED               "ABANDONED"
#define SCREENING_REASON_REFUSED                 "REFUSED"
#define SCREENING_REASON_BOOKING_FINAL           "BOOKING_FINAL"
#define SCREENING_REASON_DATE_PASSED             "DATE_PASSED"
#define SCREENING_REASON_CAPACITY_BELOW_RESERVED "CAPACITY_BELOW_RESERVED"
#define SCREENING_REASON_VERSION_MISMATCH        "VERSION_MISMATCH"
#define SCREENING_REASON_OVERLOADED              "OVERLOADED"
#define SCREENING_REASON_DRAINING                "DRAINING"
#define SCREENING_REASON_NOT_READY               "NOT_READY"
#define SCREENING_REASON_DATABASE_GONE           "DATABASE_GONE"
#define SCREENING_REASON_RECOVERING              "RECOVERING"
#define SCREENING_REASON_LOG_DIVERGED            "LOG_DIVERGED"
#define SCREENING_REASON_WRONG_DATABASE          "WRONG_DATABASE"
#define SCREENING_REASON_DATABASE_DAMAGED        "DATABASE_DAMAGED"
#define SCREENING_REASON_DATABASE_UNSUITABLE     "DATABASE_UNSUITABLE"
#define SCREENING_REASON_TOKEN_MISSING           "TOKEN_MISSING"
#define SCREENING_REASON_TOKEN_INVALID           "TOKEN_INVALID"
#define SCREENING_REASON_TOKEN_EXPIRED           "TOKEN_EXPIRED"
#define SCREENING_REASON_NOT_PERMITTED           "NOT_PERMITTED"
#define SCREENING_REASON_TOO_MANY_CALLS          "TOO_MANY_CALLS"

#endif
