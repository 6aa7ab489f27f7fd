/*
 * A library that writes down every statement that a service executes. It is preloaded into the service
 * (LD_PRELOAD) and appends a line for each execution to the file named in SCREENING_STATEMENTS: for SQLite
 * the text of the statement, for PostgreSQL the text or the name of the prepared statement. Parameters are
 * not written.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_SIZE = 4096 };

static int file = -1;

__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("SCREENING_STATEMENTS");
    file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file >= 0)
        return;
    (void)fputs("statement_trace: SCREENING_STATEMENTS must name a file\n", stderr);
    _exit(2);
}

/* Appends one line by one write, so that the lines of several threads do not mix. */
static void note(const char *text)
{
    char line[LINE_SIZE];
    size_t size = strnlen(text, sizeof line - 1);
    for (size_t i = 0; i < size; i++)
        line[i] = (char)(text[i] == '\n' ? ' ' : text[i]);
    line[size++] = '\n';
    if (write(file, line, size) != (ssize_t)size)
        abort();
}

/* Returns the function of the library that this one hides. */
static void *hidden(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        abort();
    return function;
}

int sqlite3_step(sqlite3_stmt *statement)
{
    static int (*step)(sqlite3_stmt *);
    if (step == NULL)
        *(void **)&step = hidden("sqlite3_step");
    if (!sqlite3_stmt_busy(statement)) { /* otherwise it continues */
        const char *text = sqlite3_sql(statement);
        note(text != NULL ? text : "a statement of SQLite itself");
    }
    return step(statement);
}

int PQsendQuery(PGconn *connection, const char *query)
{
    static int (*send)(PGconn *, const char *);
    if (send == NULL)
        *(void **)&send = hidden("PQsendQuery");
    note(query);
    return send(connection, query);
}

int PQsendQueryParams(PGconn *connection, const char *command, int count, const Oid *types,
                      const char *const *values, const int *lengths, const int *formats, int result_format)
{
    static int (*send)(PGconn *, const char *, int, const Oid *, const char *const *, const int *,
                       const int *, int);
    if (send == NULL)
        *(void **)&send = hidden("PQsendQueryParams");
    note(command);
    return send(connection, command, count, types, values, lengths, formats, result_format);
}

int PQsendQueryPrepared(PGconn *connection, const char *name, int count, const char *const *values,
                        const int *lengths, const int *formats, int result_format)
{
    static int (*send)(PGconn *, const char *, int, const char *const *, const int *, const int *, int);
    if (send == NULL)
        *(void **)&send = hidden("PQsendQueryPrepared");
    note(name);
    return send(connection, name, count, values, lengths, formats, result_format);
}
