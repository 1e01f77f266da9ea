/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of one connection, as they are or by TLS, without ever blocking: each call says what it waits for.
 *
 * Threads: a wire belongs to one.
 */
#ifndef VEER_PROBES_AGENT_WIRE_H
#define VEER_PROBES_AGENT_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/tls.h"

enum wire_state {
	WIRE_OK,
	WIRE_WAIT_READ,  /* call again when the socket can be read */
	WIRE_WAIT_WRITE, /* call again when it can be written */
	WIRE_END,        /* the other side has ended the connection; of TLS also without its closure alert */
	WIRE_FAILED,     /* the connection is broken; `error` is an errno, or 0 when TLS itself failed */
};

/* In the caller's memory. Zero it, and set `fd`, which stays the caller's. */
struct wire {
	int fd;             /* a connected non-blocking stream socket */
	struct ssl_st *ssl; /* NULL: in clear */
	bool has_begun;     /* the handshake of TLS */
	bool is_shaken;     /* it is done */
	bool is_held;       /* what is written does not go out yet */
	int error;
};

/* How to begin TLS. All is borrowed for the call, but for the peer. */
struct wire_tls {
	const char *name;            /* a host name or an address: asked for, and what the certificate must be for */
	bool verify;                 /* refuse a certificate that is not valid */
	struct x509_store_st *store; /* whom to trust; counted */
	struct tls_peer *peer;       /* what the other side shows; borrowed until the wire is closed */
	const char *protocols;       /* of ALPN, as in RFC 7301 3.1; NULL: none is offered */
};

/*
 * Make the client's side of TLS on a connection in clear. False: memory is out, or the name is none.
 */
bool wire_start_tls(struct wire *wire, struct ssl_ctx_st *context, const struct wire_tls *tls);
/*
 * Go on with the handshake. WIRE_OK: it is done; what it has written last goes out with the first wire_write(), or at
 * the first wire_read(), one of which must follow before anything is waited for.
 */
enum wire_state wire_shake_hands(struct wire *wire);
/* Has the other side chosen this protocol by ALPN ("h2")? */
bool wire_speaks(const struct wire *wire, const char *protocol);

/* Has the handshake just failed because the other side speaks none of the protocols (RFC 7301 3.2)? */
bool wire_lacks_protocol(const struct wire *wire);

/* Has more come than was read, so that the socket need not become readable for it? Fewer bytes than a record count. */
bool wire_has_more(const struct wire *wire);
/* At most `size` bytes (which must fit an int) into `out`; with WIRE_OK at least one. */
enum wire_state wire_read(struct wire *wire, void *out, size_t size, size_t *got);
/* As much of `len` > 0 bytes as can be written now. After WIRE_WAIT_* the same bytes must come again first. */
enum wire_state wire_write(struct wire *wire, const void *data, size_t len, size_t *put);

/* Say goodbye, without waiting, and free what TLS needed. The socket stays open; close it, then the goodbye goes out.
 */
void wire_close(struct wire *wire);

#endif
