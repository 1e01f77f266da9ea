/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of check.h: check.c (start, deadline, address), and one file for each kind. */
#ifndef VEER_PROBES_AGENT_CHECK_IMPL_H
#define VEER_PROBES_AGENT_CHECK_IMPL_H

#include "base/addr.h"
#include "base/tls.h"
#include "probes/agent/check.h"
#include "probes/agent/places.h"
#include "probes/agent/resolve.h"
#include "probes/agent/wire.h"

struct check_probe {
	const struct check_env *env;
	const struct model_check *check;
	const char *address;     /* as assigned */
	struct veer_addr target; /* the vetted address, which is connected to */
	check_done_fn *done;
	void *ctx;
	int64_t started_ns;
	struct loop_timer deadline;
	struct check_timing timing;
	struct resolve *resolve; /* while it runs */
	void *own;               /* the kind's memory, freed by free_own */
	void (*free_own)(struct check_probe *probe);
	int fd;                  /* the socket, or -1; watched or not */
	bool is_connected;       /* the connection was established: a later failure is not a failure to connect */
	bool has_failed;         /* the previous probe failed */
	struct place place;      /* a place for TLS: held, waited for, or neither */
	int64_t waits_us;        /* since when it has waited for the place */
	const char *doing;       /* what it is doing, for the detail of a time-out: "in the TLS handshake"; or NULL */
	bool has_warning;        /* if it succeeds, it does so with the reason `tls_expires_soon` */
	enum probe_reason early; /* an outcome that was known before check_start() returned */
	char detail[192];
};

/* End the probe: release what it holds, tell its owner, free it. */
void probe_finish(struct check_probe *probe, enum probe_reason reason, const char *detail);
/* Do the same from the loop: for outcomes that are known while check_start() is still running. */
void probe_finish_later(struct check_probe *probe, enum probe_reason reason, const char *detail);
/* Write the detail; the result must be passed to one of those two. */
const char *probe_detail(struct check_probe *probe, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Microseconds since the start, at least 1. */
int64_t probe_now_us(const struct check_probe *probe);
/*
 * Take a place for TLS: true when there is one now. Otherwise the probe waits, and `granted(ctx)` is called when it has
 * one. The time of waiting does not count against the endpoint.
 */
bool probe_take_place(struct check_probe *probe, void (*granted)(void *ctx), void *ctx);
/* Must be called first by `granted`. */
void probe_has_place(struct check_probe *probe);
/* Report a step to `note` of the environment, if it is set. */
void probe_note(const struct check_probe *probe, const char *step, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * May this address be connected to? Otherwise the detail says why not. `name` is the name that resolved to it, NULL for
 * a literal. Notes the decision.
 */
bool probe_vet(struct check_probe *probe, const struct veer_addr *addr, const char *name);

/*
 * Open a non-blocking socket, connected (or connecting, for SOCK_STREAM) to the target, as probe->fd. False: the probe
 * ends later.
 */
bool probe_connect(struct check_probe *probe, int type, int protocol);
/* The same to another address and port, which must have been vetted. */
bool probe_connect_to(struct check_probe *probe, int type, int protocol, const struct veer_addr *addr, uint16_t port);
/* The result of connecting the socket: 0 or an errno. */
int probe_socket_error(const struct check_probe *probe);
/* Watch probe->fd. False: the probe ended with `internal`. */
bool probe_watch(struct check_probe *probe, unsigned events, loop_fd_fn *fn);
/* Does this host have a route to the endpoint's own address? True also when that cannot be found out. */
bool probe_has_route(const struct check_probe *probe);
/* The reason for a failed connect(2), send(2) or recv(2). */
enum probe_reason reason_of_errno(long errnum);

/*
 * The certificates that the check trusts, borrowed until the next call; NULL unless `is_tls`. False: the probe ends
 * later.
 */
bool probe_trust(struct check_probe *probe, bool is_tls, struct x509_store_st **store);
/* Does the check refuse certificates that are not valid? */
bool probe_verifies(const struct check_probe *probe);
/* Begin TLS on the wire; `name` is the name to request, `protocols` as in wire.h. False: the probe ends later. */
bool probe_start_tls(struct check_probe *probe, struct wire *wire, uint16_t port, const char *name,
		     const char *protocols, struct x509_store_st *store, struct tls_peer *peer);
/* The reason why the handshake failed; writes the detail. */
enum probe_reason probe_handshake_failed(struct check_probe *probe, const struct wire *wire,
					 const struct tls_peer *peer);
/* The reason for an invalid certificate; `verify` is an X509_V_ERR_*. */
enum probe_reason reason_of_certificate(int verify);
/* Write the name that TLS requests (sni, host without its port, or the address) into `out` of 256 bytes. */
void probe_tls_name(const struct check_probe *probe, char *out);
/*
 * Judge how many days the certificate has left: PROBE_REASON_OK, with or without a warning, or a failure and its
 * detail.
 */
enum probe_reason probe_judge_certificate(struct check_probe *probe, const struct tls_peer *peer);
/* Note what the handshake has shown. */
void probe_note_peer(const struct check_probe *probe, const struct tls_peer *peer);
/* Print bytes for people: printable ones as they are, others escaped, at most `size` - 1; NUL-terminated. */
void probe_print_bytes(const void *data, size_t len, char *out, size_t size);

/* An HTTP request. These functions connect to probe->target and end in probe_finish() or probe_finish_later(). */
void probe_http(struct check_probe *probe);
/* A connection by TCP or TLS, with bytes to send and to expect. */
void probe_stream(struct check_probe *probe);
/* An ICMP echo. */
void probe_icmp(struct check_probe *probe);
/* A DNS question over UDP, and over TCP when the reply is truncated. */
void probe_dns(struct check_probe *probe);
/* grpc.health.v1.Health/Check. */
void probe_grpc(struct check_probe *probe);
/* A datagram, and perhaps its reply. */
void probe_udp(struct check_probe *probe);
/* A program, started by the runner. */
void probe_exec(struct check_probe *probe);

#endif
