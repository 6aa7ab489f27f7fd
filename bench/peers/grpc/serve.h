// What both services do around their calls.
#ifndef SCREENING_BENCH_PEERS_GRPC_SERVE_H
#define SCREENING_BENCH_PEERS_GRPC_SERVE_H

#include <grpcpp/grpcpp.h>
#include <string>

// Blocks SIGINT and SIGTERM for the whole process: before any thread is made.
void block_signals();

// Listens at `address` (port 0: any free one), prints "ready ADDRESS" on stdout and serves until SIGINT or
// SIGTERM. Returns the exit code; calls under way have been answered by then.
int serve(grpc::Service &service, const std::string &address);

#endif
