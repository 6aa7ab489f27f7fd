// Functions that both gRPC services share.
#ifndef SCREENING_BENCH_PEERS_GRPC_SERVE_H
#define SCREENING_BENCH_PEERS_GRPC_SERVE_H

#include <grpcpp/grpcpp.h>
#include <string>

// Blocks SIGINT and SIGTERM in the whole process. Call it before any thread is created.
void block_signals();

// Listens at `address` (port 0: any free one), prints "ready ADDRESS" on stdout and serves until SIGINT or
// SIGTERM. Returns the exit code after the calls in flight have been answered.
int serve(grpc::Service &service, const std::string &address);

#endif
