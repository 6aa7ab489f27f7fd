// The booking service of the peer: the intent is committed, hospital is asked, the outcome is committed with
// its event in the outbox, and only then is the caller answered.
//   peer-booking DATABASE_URL LISTEN CONNECTIONS HOSPITAL_ADDRESS
#include "serve.h"
#include "worker_pool.h"

#include <cstdio>
#include <exception>

#include "peer.grpc.pb.h"

namespace {

const std::vector<Statement> STATEMENTS = {
    {"insert_booking", "INSERT INTO booking (id, customer_id, day, headcount, status)"
                       " VALUES ($1::uuid, $2, $3::int, $4::int, 'REQUESTED')"},
    {"settle_booking", "UPDATE booking SET status = $2 WHERE id = $1::uuid"},
    {"insert_event", "INSERT INTO outbox (type, booking_id) VALUES ($2, $1::uuid)"},
};

grpc::Status refused_by_database(const std::exception &problem)
{
    std::fprintf(stderr, "%s\n", problem.what());
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the database refused");
}

// A CreateBooking call from its arrival to its answer. Its steps run one after the other.
class BookingCall {
  public:
    BookingCall(WorkerPool &pool, peer::Hospital::Stub &hospital, const peer::CreateBookingRequest &request,
                peer::CreateBookingResponse &response, grpc::ServerUnaryReactor &reactor)
        : pool_(pool), hospital_(hospital), request_(request), response_(response), reactor_(reactor)
    {
    }

    void start()
    {
        pool_.submit([this](Connection &connection) { record_intent(connection); });
    }

  private:
    void record_intent(Connection &connection)
    {
        try {
            connection.run("insert_booking",
                           {request_.booking_id(), request_.customer_id(), std::to_string(request_.day()),
                            std::to_string(request_.headcount())});
        } catch (const std::exception &problem) {
            finish(refused_by_database(problem));
            return;
        }
        reserve_request_.set_booking_id(request_.booking_id());
        reserve_request_.set_day(request_.day());
        reserve_request_.set_headcount(request_.headcount());
        hospital_.async()->Reserve(&reserve_context_, &reserve_request_, &reserve_response_,
                                   [this](const grpc::Status &status) { reserved(status); });
    }

    void reserved(const grpc::Status &status)
    {
        // After any other failure the outcome is unknown: the booking stays REQUESTED, for a repair job.
        if (!status.ok() && status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) {
            finish(status);
            return;
        }
        pool_.submit([this, status](Connection &connection) { settle(connection, status); });
    }

    void settle(Connection &connection, const grpc::Status &outcome)
    {
        try {
            Transaction transaction(connection);
            connection.run("settle_booking",
                           {request_.booking_id(), outcome.ok() ? "CONFIRMED" : "REJECTED"});
            connection.run("insert_event",
                           {request_.booking_id(), outcome.ok() ? "BookingConfirmed" : "BookingRejected"});
            transaction.commit();
        } catch (const std::exception &problem) {
            finish(refused_by_database(problem));
            return;
        }
        response_.set_remaining(reserve_response_.remaining());
        finish(outcome);
    }

    void finish(const grpc::Status &status)
    {
        reactor_.Finish(status);
        delete this;
    }

    WorkerPool &pool_;
    peer::Hospital::Stub &hospital_;
    const peer::CreateBookingRequest &request_; // these three are gRPC's, valid until Finish
    peer::CreateBookingResponse &response_;
    grpc::ServerUnaryReactor &reactor_;
    grpc::ClientContext reserve_context_;
    peer::ReserveRequest reserve_request_;
    peer::ReserveResponse reserve_response_;
};

class BookingService final : public peer::Booking::CallbackService {
  public:
    BookingService(WorkerPool &pool, const std::string &hospital)
        : pool_(pool), hospital_(peer::Hospital::NewStub(
                           grpc::CreateChannel(hospital, grpc::InsecureChannelCredentials())))
    {
    }

    grpc::ServerUnaryReactor *CreateBooking(grpc::CallbackServerContext *context,
                                            const peer::CreateBookingRequest *request,
                                            peer::CreateBookingResponse *response) override
    {
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        (new BookingCall(pool_, *hospital_, *request, *response, *reactor))->start();
        return reactor;
    }

  private:
    WorkerPool &pool_;
    std::unique_ptr<peer::Hospital::Stub> hospital_;
};

} // namespace

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::fprintf(stderr, "usage: peer-booking DATABASE_URL LISTEN CONNECTIONS HOSPITAL_ADDRESS\n");
        return 2;
    }
    try {
        block_signals();
        WorkerPool pool(argv[1], STATEMENTS, std::stoi(argv[3]));
        BookingService service(pool, argv[4]);
        return serve(service, argv[2]);
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "peer-booking: %s\n", problem.what());
        return 1;
    }
}
