#include "store_tables.h"

#include "hospital.h"

static const struct db_column HOSPITAL_COLUMNS[] = {
    DB_COLUMN_AS("hospital_id", struct hospital, id, UUID, DB_KEY),
    DB_COLUMN(struct hospital, name, TEXT, DB_FIXED),
    DB_COLUMN(struct hospital, address, TEXT, DB_FIXED),
    DB_COLUMN_IN(struct hospital, state, DB_CHANGES, HOSPITAL_ACTIVE, HOSPITAL_DELETED),
    DB_COLUMN(struct hospital, created_at_us, INT, DB_FIXED),
    DB_COLUMN(struct hospital, content, BYTES, DB_FIXED), /* last, because STORE_HOSPITAL_SHOWN omits it */
};
enum { HOSPITAL_COLUMN_COUNT = sizeof HOSPITAL_COLUMNS / sizeof HOSPITAL_COLUMNS[0] };

const struct db_table STORE_HOSPITAL = DB_TABLE("hospital", HOSPITAL_COLUMNS);
const struct db_table STORE_HOSPITAL_SHOWN = {
    .name = "hospital", .columns = HOSPITAL_COLUMNS, .count = HOSPITAL_COLUMN_COUNT - 1};

static const struct db_column DAY_COLUMNS[] = {
    DB_COLUMN(struct screening_day, hospital_id, UUID, DB_KEY), /* first, because STORE_DAY_SHOWN omits it */
    DB_COLUMN(struct screening_day, date, DATE, DB_KEY),
    DB_COLUMN_IN(struct screening_day, capacity, DB_CHANGES, 0, INT32_MAX),
    DB_COLUMN_IN(struct screening_day, reserved, DB_CHANGES, 0, INT32_MAX),
    DB_COLUMN(struct screening_day, version, INT, DB_CHANGES),
};
enum { DAY_COLUMN_COUNT = sizeof DAY_COLUMNS / sizeof DAY_COLUMNS[0] };

const struct db_table STORE_DAY = DB_TABLE("screening_day", DAY_COLUMNS);
const struct db_table STORE_DAY_SHOWN = {
    .name = "screening_day", .columns = DAY_COLUMNS + 1, .count = DAY_COLUMN_COUNT - 1};

static const struct db_column RESERVATION_COLUMNS[] = {
    DB_COLUMN(struct reservation, booking_id, UUID, DB_KEY),
    DB_COLUMN(struct reservation, hospital_id, UUID, DB_CHANGES),
    DB_COLUMN(struct reservation, date, DATE, DB_CHANGES),
    DB_COLUMN_IN(struct reservation, headcount, DB_CHANGES, 0, INT32_MAX),
    DB_COLUMN_IN(struct reservation, state, DB_CHANGES, RESERVATION_LIVE, RESERVATION_TOMBSTONE),
};
const struct db_table STORE_RESERVATION = DB_TABLE("reservation", RESERVATION_COLUMNS);
