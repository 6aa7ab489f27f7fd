// The hospital service of the peer: each reservation is a separate transaction.
//   peer-hospital DATABASE_URL LISTEN CONNECTIONS
#include "serve.h"
#include "worker_pool.h"

#include <cstdio>
#include <exception>

#include "peer.grpc.pb.h"

namespace {

// The hot row comes last, so that its lock is as short as possible: one round trip and the commit.
const std::vector<Statement> STATEMENTS = {
    {"insert_reservation",
     "INSERT INTO reservation (booking_id, day, headcount) VALUES ($1::uuid, $2::int, $3::int)"},
    {"take_places",
     "UPDATE day SET remaining = remaining - $2::int WHERE id = $1::int AND remaining >= $2::int"
     " RETURNING remaining"},
    {"sum_places", "SELECT coalesce(sum(capacity - remaining), 0)::bigint FROM day"},
    {"sum_reservations", "SELECT coalesce(sum(headcount), 0)::bigint FROM reservation"},
};

class HospitalService final : public peer::Hospital::CallbackService {
  public:
    explicit HospitalService(WorkerPool &pool) : pool_(pool)
    {
    }

    grpc::ServerUnaryReactor *Reserve(grpc::CallbackServerContext *context,
                                      const peer::ReserveRequest *request,
                                      peer::ReserveResponse *response) override
    {
        return answer(
            context,
            [request, response](Connection &connection) {
                const std::string day = std::to_string(request->day()),
                                  heads = std::to_string(request->headcount());
                Transaction transaction(connection);
                connection.run("insert_reservation", {request->booking_id(), day, heads});
                Result taken = connection.run("take_places", {day, heads});
                if (taken.rows() == 0)
                    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                        "not that many places are left");
                transaction.commit();
                response->set_remaining(static_cast<int32_t>(taken.number(0)));
                return grpc::Status::OK;
            });
    }

    grpc::ServerUnaryReactor *GetTaken(grpc::CallbackServerContext *context, const peer::GetTakenRequest *,
                                       peer::GetTakenResponse *response) override
    {
        return answer(
            context,
            [response](Connection &connection) {
                response->set_places(connection.run("sum_places").number(0));
                response->set_reserved(connection.run("sum_reservations").number(0));
                return grpc::Status::OK;
            });
    }

  private:
    // Runs `step` on a worker thread, and answers with the status that it returns.
    template <typename Step> grpc::ServerUnaryReactor *answer(grpc::CallbackServerContext *context, Step step)
    {
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        pool_.submit([reactor, step](Connection &connection) {
            grpc::Status status;
            try {
                status = step(connection);
            } catch (const std::exception &problem) {
                std::fprintf(stderr, "%s\n", problem.what());
                status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the database refused");
            }
            reactor->Finish(status);
        });
        return reactor;
    }

    WorkerPool &pool_;
};

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::fprintf(stderr, "usage: peer-hospital DATABASE_URL LISTEN CONNECTIONS\n");
        return 2;
    }
    try {
        block_signals();
        WorkerPool pool(argv[1], STATEMENTS, std::stoi(argv[3]));
        HospitalService service(pool);
        return serve(service, argv[2]);
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "peer-hospital: %s\n", problem.what());
        return 1;
    }
}
