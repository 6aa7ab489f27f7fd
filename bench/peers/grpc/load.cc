// Books at the peer with a fixed number of calls in flight and prints the figures as JSON. Fails if a call
// failed, or if the places taken afterwards do not match the confirmed bookings.
//   peer-load BOOKING_ADDRESS HOSPITAL_ADDRESS IN_FLIGHT DAYS WARM_UP_S SECONDS
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <exception>
#include <grpcpp/grpcpp.h>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "peer.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Options {
    std::string booking, hospital;
    int in_flight, days;
    std::chrono::duration<double> warm_up, measured;
};

// Ids ordered by time, like UUIDs of version 7. One thread at a time.
class Ids {
  public:
    std::string next()
    {
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
        const unsigned long long random = random_();
        char text[48];
        std::snprintf(text, sizeof text, "%08llx-%04llx-7%03llx-8%03llx-%012llx",
                      static_cast<unsigned long long>(ms) >> 16, static_cast<unsigned long long>(ms) & 0xffff,
                      random & 0xfff, (random >> 12) & 0xfff, (random >> 16) & 0xffffffffffff);
        return text;
    }

  private:
    std::mt19937_64 random_{std::random_device{}()};
};

// The closed loop: each answer sends the next call, on gRPC's threads.
class Load {
  public:
    Load(peer::Booking::Stub &booking, const Options &options)
        : booking_(booking), options_(options), begin_(Clock::now()),
          measure_from_(begin_ + std::chrono::duration_cast<Clock::duration>(options.warm_up)),
          end_(measure_from_ + std::chrono::duration_cast<Clock::duration>(options.measured))
    {
    }

    // Returns when the last call has been answered.
    void run()
    {
        {
            std::lock_guard<std::mutex> guard(lock_);
            under_way_ = options_.in_flight;
        }
        for (int i = 0; i < options_.in_flight; i++)
            send();
        std::unique_lock<std::mutex> guard(lock_);
        all_answered_.wait(guard, [this] { return under_way_ == 0; });
        std::sort(latencies_ms_.begin(), latencies_ms_.end());
    }

    // After run().
    long long confirmed() const
    {
        return confirmed_;
    }
    long long failed() const
    {
        return failed_;
    }
    const std::vector<double> &latencies_ms() const
    {
        return latencies_ms_;
    }
    double quantile_ms(double share) const
    {
        const size_t size = latencies_ms_.size();
        return size == 0 ? 0 : latencies_ms_[std::min(size - 1, static_cast<size_t>(share * double(size)))];
    }

  private:
    struct Call {
        grpc::ClientContext context;
        peer::CreateBookingRequest request;
        peer::CreateBookingResponse response;
        Clock::time_point begin;
    };

    void send()
    {
        Call *call = new Call;
        {
            std::lock_guard<std::mutex> guard(lock_);
            call->request.set_booking_id(ids_.next());
            call->request.set_day(1 + static_cast<int>(days_() % static_cast<unsigned>(options_.days)));
        }
        call->request.set_customer_id(
            call->request.booking_id().substr(24)); // a different one each time, as in ours
        call->request.set_headcount(1);
        call->begin = Clock::now();
        booking_.async()->CreateBooking(&call->context, &call->request, &call->response,
                                        [this, call](const grpc::Status &status) { answered(call, status); });
    }

    void answered(Call *call, const grpc::Status &status)
    {
        const std::unique_ptr<Call> owned(call);
        const Clock::time_point now = Clock::now();
        const Milliseconds took = now - call->begin;
        std::unique_lock<std::mutex> guard(lock_);
        if (!status.ok() && failed_++ == 0)
            std::fprintf(stderr, "peer-load: %s\n", status.error_message().c_str());
        confirmed_ += status.ok();
        if (status.ok() && now >= measure_from_ && now < end_)
            latencies_ms_.push_back(took.count());
        if (now >= end_ || !status.ok()) {
            if (--under_way_ == 0)
                all_answered_.notify_one();
            return;
        }
        guard.unlock();
        send();
    }

    peer::Booking::Stub &booking_;
    const Options options_;
    const Clock::time_point begin_, measure_from_, end_;
    std::mutex lock_; // guards what follows
    std::condition_variable all_answered_;
    Ids ids_;
    std::mt19937 days_{1};
    int under_way_ = 0;
    long long confirmed_ = 0, failed_ = 0; // also in the warm-up
    std::vector<double> latencies_ms_;     // of the measured time
};

peer::GetTakenResponse taken(peer::Hospital::Stub &hospital)
{
    grpc::ClientContext context;
    peer::GetTakenResponse response;
    const grpc::Status status = hospital.GetTaken(&context, {}, &response);
    if (!status.ok())
        throw std::runtime_error("GetTaken: " + status.error_message());
    return response;
}

std::shared_ptr<grpc::Channel> channel_to(const std::string &address)
{
    return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

bool measure(const Options &options)
{
    const auto booking = peer::Booking::NewStub(channel_to(options.booking));
    const auto hospital = peer::Hospital::NewStub(channel_to(options.hospital));
    const long long before = taken(*hospital).places();
    Load load(*booking, options);
    load.run();
    const peer::GetTakenResponse after = taken(*hospital);
    const bool agree = after.places() == after.reserved() && after.places() - before == load.confirmed();
    std::printf(
        "{\"in_flight\": %d, \"days\": %d, \"measured_s\": %.3f, \"per_s\": %.1f, \"p50_ms\": %.3f, "
        "\"p99_ms\": %.3f, \"p99_9_ms\": %.3f, \"confirmed\": %lld, \"failed\": %lld, \"taken\": %lld, "
        "\"agree\": %s}\n",
        options.in_flight, options.days, options.measured.count(),
        double(load.latencies_ms().size()) / options.measured.count(), load.quantile_ms(0.5),
        load.quantile_ms(0.99), load.quantile_ms(0.999), load.confirmed(), load.failed(),
        static_cast<long long>(after.places() - before), agree ? "true" : "false");
    return agree && load.failed() == 0;
}

} // namespace

int main(int argc, char **argv)
{
    try {
        if (argc != 7)
            throw std::invalid_argument(
                "usage: peer-load BOOKING_ADDRESS HOSPITAL_ADDRESS IN_FLIGHT DAYS WARM_UP_S SECONDS");
        return measure({argv[1], argv[2], std::stoi(argv[3]), std::stoi(argv[4]),
                        std::chrono::duration<double>(std::stod(argv[5])),
                        std::chrono::duration<double>(std::stod(argv[6]))})
                   ? 0
                   : 1;
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
