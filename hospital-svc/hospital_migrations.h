/* The scripts in migrations/, embedded by the build. */
#ifndef SCREENING_HOSPITAL_SVC_HOSPITAL_MIGRATIONS_H
#define SCREENING_HOSPITAL_SVC_HOSPITAL_MIGRATIONS_H

extern const char hospital_0001_initial_sqlite[];
extern const char hospital_0001_initial_postgresql[];
extern const char hospital_0002_commit_numbers_sqlite[];
extern const char hospital_0002_commit_numbers_postgresql[];
extern const char hospital_0003_reserved_sqlite[];
extern const char hospital_0003_reserved_postgresql[];
extern const char hospital_0004_capacity_change_ids_sqlite[];
extern const char hospital_0004_capacity_change_ids_postgresql[];
extern const char hospital_0005_recovery_sqlite[];
extern const char hospital_0005_recovery_postgresql[];

#endif
