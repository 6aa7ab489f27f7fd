#include "settings.h"

#include "service/service.h"

void settings_load(struct settings *settings, int argc, char **argv)
{
    struct broker_options *broker = &settings->broker;
    const struct setting table[] = {
        // clang-format off
        ADDRESSES("hospital-rpc", settings->hospital_rpc, "tcp://127.0.0.1:7101", "addresses of hospital-svc's calls, separated by commas"),
        ADDRESSES("hospital-events", settings->hospital_events, "tcp://127.0.0.1:7102", "addresses of the replicas that publish the hospital log, separated by commas"),
        ADDRESSES("booking-rpc", settings->booking_rpc, "tcp://127.0.0.1:7201", "addresses of booking-svc's calls, separated by commas"),
        ADDRESSES("booking-events", settings->booking_events, "tcp://127.0.0.1:7202", "addresses of the replicas that publish the booking log, separated by commas"),
        TEXT("token-key", settings->security.token_key, "", "file with the private key that signs this program's own tokens; empty = none"),
        SWITCH("insecure", settings->security.insecure, "may follow and publish at addresses that other machines reach, in clear; warns once a minute"),
        TEXT("nats-url", broker->url, "nats://127.0.0.1:4222", "servers of NATS: nats://HOST:PORT or tls://HOST:PORT, separated by commas"),
        TEXT("nats-token", broker->token, "", "file with the token for NATS; empty = none"),
        TEXT("nats-credentials", broker->credentials, "", "file with the JWT and the seed of the user of NATS (.creds); empty = none"),
        TEXT("nats-ca", broker->ca, "", "file with the authorities of the certificates of NATS; empty = those of the system"),
        TEXT("nats-certificate", broker->certificate, "", "file with this program's certificate for NATS; empty = none"),
        TEXT("nats-key", broker->key, "", "file with the private key of --nats-certificate"),
        NUMBER("stream-replicas", settings->stream_replicas, "1", 1, 5, "copies of a stream that does not exist yet"),
        TEXT("ops-listen", settings->ops_listen, "127.0.0.1:7409", "HOST:PORT for /metrics, /livez and /readyz over HTTP; empty = none"),
        TEXT("log-level", settings->log_level, "info", "lowest level logged: debug, info, warn or error"),
        NUMBER("message-max-bytes", settings->message_max_bytes, "1048576", 262144, 67108864, "size of the largest message from the services, in bytes"),
        // clang-format on
    };
    const size_t count = sizeof table / sizeof table[0];
    config_load(BRIDGE_PROGRAM, "Publishes both logs to streams of NATS JetStream, as CloudEvents.", table,
                count, argc, argv);
    broker->insecure = settings->security.insecure;
    service_begin(BRIDGE_PROGRAM, settings->log_level, "UTC");
    config_log(table, count);
}
