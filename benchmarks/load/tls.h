/* TLS for the connections, where the machine has OpenSSL's headers. */

#ifndef TLS_H
#define TLS_H

#include <stdbool.h>
#include <sys/types.h>

void tls_start(void);
void *tls_open(int fd);
void tls_close(void *tls);

/* Like send and recv; -1 with EAGAIN when the socket has to be waited for,
 * with EALREADY when the other side has to say something first. */
ssize_t tls_send(void *tls, const void *data, size_t size);
ssize_t tls_recv(void *tls, void *data, size_t size);

#endif
