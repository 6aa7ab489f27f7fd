/*
 * TLS for dialers, for addresses tls+tcp://HOST:PORT. nng uses Mbed TLS: TLS 1.2, with Debian 13's nng also
 * 1.3. Only clients outside the services dial so; between services, HAProxy carries TLS
 * (docs/decisions/0031).
 *
 * nng compares the server's certificate with one name. It compares no IP addresses (Mbed TLS 2.28), so if the
 * host of the address is an IP address, the certificate must have another name, that of the service.
 */
#ifndef SCREENING_NNG_TLS_H
#define SCREENING_NNG_TLS_H

#include <nng/nng.h>
#include <stdbool.h>

struct tls_dialing {
    const char *ca;       /* path of a PEM file with the authorities that are trusted */
    const char *fallback; /* the name that the certificate must have if the host is an IP address */
};

/* Returns whether the address is one for TLS. */
bool tls_is_address(const char *address);

/*
 * Makes the dialer trust the authorities that the file has now. Call it before nng_dialer_start. Returns
 * nng's error code, or 0.
 */
int tls_prepare(nng_dialer dialer, const char *address, const struct tls_dialing *tls);

#endif
