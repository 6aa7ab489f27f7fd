/* The columns of hospital-svc's tables, as constants for store.c and store_reads.c. */
#ifndef SCREENING_HOSPITAL_SVC_STORE_TABLES_H
#define SCREENING_HOSPITAL_SVC_STORE_TABLES_H

#include "db/db_table.h"

/* The records of these tables are struct hospital, struct screening_day and struct reservation. */
extern const struct db_table STORE_HOSPITAL, STORE_DAY, STORE_RESERVATION;

/* The columns that readers need: all except the digest of the registration and the hospital_id of a day. */
extern const struct db_table STORE_HOSPITAL_SHOWN, STORE_DAY_SHOWN;

#endif
