// One connection to PostgreSQL with prepared statements. One thread at a time.
#ifndef SCREENING_BENCH_PEERS_GRPC_CONNECTION_H
#define SCREENING_BENCH_PEERS_GRPC_CONNECTION_H

#include <initializer_list>
#include <libpq-fe.h>
#include <memory>
#include <string>
#include <vector>

struct Statement {
    const char *name;
    const char *sql;
};

// The result of a statement: the number of rows read or changed, and the values of the first row.
class Result {
  public:
    explicit Result(PGresult *result) : result_(result, PQclear)
    {
    }
    int rows() const;
    long long number(int column) const;

  private:
    std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

class Connection {
  public:
    // Throws std::runtime_error if connecting or preparing a statement fails.
    Connection(const std::string &url, const std::vector<Statement> &statements);

    // Runs a prepared statement. Throws std::runtime_error if PostgreSQL refuses it.
    Result run(const char *name, std::initializer_list<std::string> values = {});

  private:
    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

// A transaction, begun by the constructor. Unless committed, it is rolled back at the end of the scope.
class Transaction {
  public:
    explicit Transaction(Connection &connection) : connection_(connection)
    {
        connection_.run("begin");
    }
    ~Transaction();
    Transaction(const Transaction &) = delete;
    Transaction &operator=(const Transaction &) = delete;
    void commit();

  private:
    Connection &connection_;
    bool open_ = true;
};

#endif
