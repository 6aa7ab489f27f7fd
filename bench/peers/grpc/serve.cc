#include "serve.h"

#include <csignal>
#include <cstdio>

namespace {

sigset_t stop_signals()
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    return signals;
}

} // namespace

void block_signals()
{
    const sigset_t signals = stop_signals();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int serve(grpc::Service &service, const std::string &address)
{
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) {
        std::fprintf(stderr, "%s: can't listen\n", address.c_str());
        return 1;
    }
    std::printf("ready %s:%d\n", address.substr(0, address.rfind(':')).c_str(), port);
    std::fflush(stdout);
    const sigset_t signals = stop_signals();
    int number;
    sigwait(&signals, &number);
    server->Shutdown();
    return 0;
}
