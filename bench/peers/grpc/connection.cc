#include "connection.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace {

const std::vector<Statement> TRANSACTION_STATEMENTS = {
    {"begin", "BEGIN"}, {"commit", "COMMIT"}, {"rollback", "ROLLBACK"}};
constexpr size_t VALUES_MAX = 8;

} // namespace

int Result::rows() const
{
    if (PQresultStatus(result_.get()) == PGRES_TUPLES_OK)
        return PQntuples(result_.get());
    return static_cast<int>(std::strtol(PQcmdTuples(result_.get()), nullptr, 10));
}

long long Result::number(int column) const
{
    return std::strtoll(PQgetvalue(result_.get(), 0, column), nullptr, 10);
}

Connection::Connection(const std::string &url, const std::vector<Statement> &statements)
    : connection_(PQconnectdb(url.c_str()), PQfinish)
{
    if (PQstatus(connection_.get()) != CONNECTION_OK)
        throw std::runtime_error(PQerrorMessage(connection_.get()));
    // Every statement reads by key. A plan made while a table was empty must not stay a sequential scan.
    Result(PQexec(connection_.get(), "SET enable_seqscan = off"));
    for (const auto *list : {&TRANSACTION_STATEMENTS, &statements}) {
        for (const Statement &statement : *list) {
            Result prepared(PQprepare(connection_.get(), statement.name, statement.sql, 0, nullptr));
            if (PQstatus(connection_.get()) != CONNECTION_OK || PQerrorMessage(connection_.get())[0] != '\0')
                throw std::runtime_error(std::string(statement.name) + ": " +
                                         PQerrorMessage(connection_.get()));
        }
    }
}

Result Connection::run(const char *name, std::initializer_list<std::string> values)
{
    std::array<const char *, VALUES_MAX> texts{};
    size_t count = 0;
    for (const std::string &value : values)
        texts.at(count++) = value.c_str();
    PGresult *result =
        PQexecPrepared(connection_.get(), name, static_cast<int>(count), texts.data(), nullptr, nullptr, 0);
    ExecStatusType status = PQresultStatus(result);
    Result owned(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        throw std::runtime_error(std::string(name) + ": " + PQerrorMessage(connection_.get()));
    return owned;
}

Transaction::~Transaction()
{
    if (!open_)
        return;
    try {
        connection_.run("rollback");
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "%s\n", problem.what());
    }
}

void Transaction::commit()
{
    connection_.run("commit");
    open_ = false;
}
