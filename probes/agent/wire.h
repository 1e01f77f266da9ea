/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads and writes the bytes of one connection, with or without TLS, and never blocks: each call says which event it
 * waits for.
 *
 * Threads: a wire belongs to one thread.
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
	WIRE_END,        /* the other side has ended the connection, perhaps (with TLS) without a close_notify alert */
	WIRE_FAILED,     /* the connection is broken; `error` is an errno, or 0 when TLS itself failed */
};

/* In the caller's memory. Zero it, and set `fd`, which stays the caller's. */
struct wire {
	int fd;             /* a connected non-blocking stream socket */
	struct ssl_st *ssl; /* NULL: no TLS */
	bool has_begun;     /* the TLS handshake has begun */
	bool is_shaken;     /* the TLS handshake is done */
	bool is_held;       /* written bytes are not sent yet */
	int error;
};

/* How to begin TLS. Everything is borrowed for the call, except the peer. */
struct wire_tls {
	const char *name; /* a host name or an address: it is requested, and the certificate must be for it */
	bool verify;      /* refuse a certificate that is not valid */
	struct x509_store_st *store; /* the trusted certificates; takes a reference */
	struct tls_peer *peer;       /* receives what the other side sends; borrowed until the wire is closed */
	const char *protocols;       /* for ALPN, as in RFC 7301 3.1; NULL: none are offered */
};

/* Make the client's side of TLS on a connection. False: memory is out, or the name is invalid. */
bool wire_start_tls(struct wire *wire, struct ssl_ctx_st *context, const struct wire_tls *tls);
/*
 * Continue the handshake. WIRE_OK: it is done; the last bytes that it has written are sent with the first wire_write()
 * or wire_read(), one of which must follow before anything is waited for.
 */
enum wire_state wire_shake_hands(struct wire *wire);
/* Has the other side chosen this protocol by ALPN ("h2")? */
bool wire_speaks(const struct wire *wire, const char *protocol);

/* Has the handshake just failed because the other side speaks none of the protocols (RFC 7301 3.2)? */
bool wire_lacks_protocol(const struct wire *wire);

/*
 * Have more bytes come than were read, so that the socket may not become readable for them? An incomplete record
 * counts, too.
 */
bool wire_has_more(const struct wire *wire);
/* Read at most `size` bytes (which must fit an int) into `out`; with WIRE_OK at least one. */
enum wire_state wire_read(struct wire *wire, void *out, size_t size, size_t *got);
/* Write as much of `len` > 0 bytes as possible now. After WIRE_WAIT_* the next call must begin with the same bytes. */
enum wire_state wire_write(struct wire *wire, const void *data, size_t len, size_t *put);

/*
 * Send close_notify without waiting, and free what TLS needed. The socket stays open; the alert is sent when it is
 * closed.
 */
void wire_close(struct wire *wire);

#endif
