// Threads that do the database work of a service, each with its own connection. So there are as many
// concurrent transactions as connections, and no other thread ever waits for PostgreSQL.
#ifndef SCREENING_BENCH_PEERS_GRPC_WORKER_POOL_H
#define SCREENING_BENCH_PEERS_GRPC_WORKER_POOL_H

#include "connection.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

class WorkerPool {
  public:
    // A job must handle its own errors and must not throw.
    using Job = std::function<void(Connection &)>;

    // Throws std::runtime_error if a connection cannot be made.
    WorkerPool(const std::string &url, const std::vector<Statement> &statements, int size);
    // Completes the submitted jobs, then ends the threads.
    ~WorkerPool();
    WorkerPool(const WorkerPool &) = delete;
    WorkerPool &operator=(const WorkerPool &) = delete;

    // Any thread; does not block.
    void submit(Job job);

  private:
    void work(Connection &connection);

    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<std::thread> threads_;
    std::mutex lock_; // guards the following members
    std::condition_variable has_job_;
    std::deque<Job> jobs_;
    bool stopping_ = false;
};

#endif
