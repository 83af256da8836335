/* TLS for the connections, where the machine has OpenSSL's headers. */

#include "tls.h"

#include "net.h"

#ifdef WITH_TLS

#include <errno.h>
#include <openssl/ssl.h>

static SSL_CTX *context;

void tls_start(void) {
    context = SSL_CTX_new(TLS_client_method());
    if (!context) die("TLS does not start");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* who it is does not matter here */
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
}

void *tls_open(int fd) {
    SSL *tls = SSL_new(context);
    if (!tls || !SSL_set_fd(tls, fd)) die("TLS does not open");
    SSL_set_connect_state(tls);
    return tls;
}

void tls_close(void *tls) { SSL_free(tls); }

static ssize_t result(SSL *tls, int done) {
    if (done > 0) return done;
    int why = SSL_get_error(tls, done);
    errno = why == SSL_ERROR_WANT_READ ? EALREADY : why == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

ssize_t tls_send(void *tls, const void *data, size_t size) {
    return result(tls, SSL_write(tls, data, (int)size));
}

ssize_t tls_recv(void *tls, void *data, size_t size) {
    size_t got = 0;
    ssize_t more = 0;
    /* To the end of what has come: nothing wakes us for what OpenSSL has read already. */
    while (got < size && (more = result(tls, SSL_read(tls, (char *)data + got, (int)(size - got)))) > 0)
        got += (size_t)more;
    if (more < 0 && errno == EALREADY) errno = EAGAIN;
    return got ? (ssize_t)got : more;
}

#else

void tls_start(void) { die("built without TLS: OpenSSL's headers (libssl-dev) are not there"); }
void *tls_open(int fd) { return (void)fd, (void *)0; }
void tls_close(void *tls) { (void)tls; }
ssize_t tls_send(void *tls, const void *data, size_t size) { return (void)tls, (void)data, (ssize_t)size; }
ssize_t tls_recv(void *tls, void *data, size_t size) { return (void)tls, (void)data, (void)size, 0; }

#endif
