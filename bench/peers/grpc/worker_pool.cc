#include "worker_pool.h"

#include <utility>

WorkerPool::WorkerPool(const std::string &url, const std::vector<Statement> &statements, int size)
{
    for (int i = 0; i < size; i++)
        connections_.push_back(std::make_unique<Connection>(url, statements));
    for (const auto &connection : connections_)
        threads_.emplace_back([this, own = connection.get()] { work(*own); });
}

WorkerPool::~WorkerPool()
{
    {
        std::lock_guard<std::mutex> guard(lock_);
        stopping_ = true;
    }
    has_job_.notify_all();
    for (std::thread &thread : threads_)
        thread.join();
}

void WorkerPool::submit(Job job)
{
    {
        std::lock_guard<std::mutex> guard(lock_);
        jobs_.push_back(std::move(job));
    }
    has_job_.notify_one();
}

void WorkerPool::work(Connection &connection)
{
    for (;;) {
        std::unique_lock<std::mutex> guard(lock_);
        has_job_.wait(guard, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty())
            return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        guard.unlock();
        job(connection);
    }
}
