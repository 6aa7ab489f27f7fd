// The parts that both services share around their calls.
#ifndef SCREENING_BENCH_PEERS_GRPC_SERVE_H
#define SCREENING_BENCH_PEERS_GRPC_SERVE_H

#include <grpcpp/grpcpp.h>
#include <string>

// Blocks SIGINT and SIGTERM for the whole process; call it before any thread is created.
void block_signals();

// Listens at `address` (port 0: any free one), prints "ready ADDRESS" on stdout and serves until SIGINT or
// SIGTERM. Returns the exit code; by then the calls in flight have been answered.
int serve(grpc::Service &service, const std::string &address);

#endif
