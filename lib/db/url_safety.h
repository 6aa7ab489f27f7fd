/*
 * Says what a database URL gives away: its password to the users of this machine, the data to those of the
 * network; and whether it lists several hosts. All URLs must be well-formed (db_url_check); a SQLite file
 * gives nothing away. Messages never contain a password. Any thread.
 */
#ifndef SCREENING_DB_URL_SAFETY_H
#define SCREENING_DB_URL_SAFETY_H

#include <stdbool.h>

#include "base/status.h"

/*
 * Returns whether the URL contains a password, also the one of a key (sslpassword). All users of the machine
 * can read the arguments of a process. A file does not have this fault: passfile=PATH in the URL.
 */
bool db_url_has_password(const char *url);

/* Returns whether PGPASSWORD has a password, which libpq uses if the URL has none. */
bool db_url_takes_password_from_environment(const char *url);

/*
 * Returns INVALID_ARGUMENT "database: ..." with the host's name if the connection can leave this machine and
 * its server need not prove who it is, that is, unless sslmode is verify-full. Local are Unix sockets,
 * localhost, 127.0.0.0/8 and ::1. What the URL leaves open is taken from the environment, as libpq takes it
 * (PGHOST, PGHOSTADDR, PGSSLMODE). A service file (`service`, PGSERVICE) has precedence over the environment
 * and may name any host, so with one the URL itself must have sslmode=verify-full.
 */
MUST_CHECK enum status db_url_check_transport(const char *url, struct error *error);

/* Returns whether the URL, or PGHOST or PGHOSTADDR if it names no host, lists several hosts. */
bool db_url_has_several_hosts(const char *url);

/*
 * Returns INVALID_ARGUMENT "database: passfile: PATH: ..." if the URL names a file of passwords that
 * secret_file_open refuses, because libpq would ignore such a file and only say that there is no password.
 */
MUST_CHECK enum status db_url_check_passfile(const char *url, struct error *error);

/*
 * Returns INVALID_ARGUMENT "database: passfile: PATH: line N: ..." if the file of passwords that the URL
 * names has one that everybody tries first: an empty one, the user's name, or one of a list. A file
 * that is refused by db_url_check_passfile is not looked at.
 */
MUST_CHECK enum status db_url_check_well_known(const char *url, struct error *error);

#endif
