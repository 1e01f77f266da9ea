/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of check.h share: check.c (life, deadline, address), and one for each kind. */
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
	struct veer_addr target; /* vetted: what is connected to */
	check_done_fn *done;
	void *ctx;
	int64_t started_ns;
	struct loop_timer deadline;
	struct check_timing timing;
	struct resolve *resolve; /* while it runs */
	void *own;               /* the kind's memory, freed by free_own */
	void (*free_own)(struct check_probe *probe);
	int fd;                  /* the socket, or -1; watched or not */
	bool is_connected;       /* a connection stood: what failed later is no connect */
	bool has_failed;         /* the probe before did */
	struct place place;      /* among those who use TLS: held, waited for, or neither */
	int64_t waits_us;        /* since when it is waited for */
	const char *doing;       /* what it waits for, for the detail of a time-out: "in the TLS handshake"; or NULL */
	bool has_warning;        /* a success is one with the reason `tls_expires_soon` */
	enum probe_reason early; /* an outcome that was known before check_start() returned */
	char detail[192];
};

/* End the probe: release what it holds, tell its owner, free it. */
void probe_finish(struct check_probe *probe, enum probe_reason reason, const char *detail);
/* The same, from the loop: for what is known while check_start() is still running. */
void probe_finish_later(struct check_probe *probe, enum probe_reason reason, const char *detail);
/* Write the detail; the result is to be passed to one of those two. */
const char *probe_detail(struct check_probe *probe, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Microseconds since the start, at least 1. */
int64_t probe_now_us(const struct check_probe *probe);
/*
 * Take a place among those who use TLS: true when there is one now. Otherwise the probe waits, and `granted(ctx)` is
 * called when it has one. The time that this takes is not the endpoint's.
 */
bool probe_take_place(struct check_probe *probe, void (*granted)(void *ctx), void *ctx);
/* Called first by `granted`. */
void probe_has_place(struct check_probe *probe);
/* Tell who watches, if anybody does. */
void probe_note(const struct check_probe *probe, const char *step, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * May it be connected to? Otherwise the detail says why not. `name` is what resolved to it, NULL for a literal. Notes
 * the decision.
 */
bool probe_vet(struct check_probe *probe, const struct veer_addr *addr, const char *name);

/*
 * A non-blocking socket, connected (or connecting, for SOCK_STREAM) to the target, in probe->fd. False: the probe ends
 * later.
 */
bool probe_connect(struct check_probe *probe, int type, int protocol);
/* The same, to another address and port, which have been vetted. */
bool probe_connect_to(struct check_probe *probe, int type, int protocol, const struct veer_addr *addr, uint16_t port);
/* What became of the connecting socket: 0 or an errno. */
int probe_socket_error(const struct check_probe *probe);
/* Watch probe->fd. False: it ended, `internal`. */
bool probe_watch(struct check_probe *probe, unsigned events, loop_fd_fn *fn);
/* Does this host know a way to the endpoint's own address? True also when that is not to be found out. */
bool probe_has_route(const struct check_probe *probe);
/* What a failed connect(2), send(2) or recv(2) means. */
enum probe_reason reason_of_errno(long errnum);

/* Whom the check trusts, borrowed until the next call; NULL unless `is_tls`. False: the probe ends later. */
bool probe_trust(struct check_probe *probe, bool is_tls, struct x509_store_st **store);
/* Does it refuse certificates that are not valid? */
bool probe_verifies(const struct check_probe *probe);
/* Begin TLS on the wire; `name` is the one to ask for, `protocols` as in wire.h. False: the probe ends later. */
bool probe_start_tls(struct check_probe *probe, struct wire *wire, uint16_t port, const char *name,
		     const char *protocols, struct x509_store_st *store, struct tls_peer *peer);
/* Why the handshake failed; writes the detail. */
enum probe_reason probe_handshake_failed(struct check_probe *probe, const struct wire *wire,
					 const struct tls_peer *peer);
/* What is wrong with a certificate; `verify` is an X509_V_ERR_*. */
enum probe_reason reason_of_certificate(int verify);
/* The name that TLS asks for: sni, host without its port, or the address; into `out` of 256 bytes. */
void probe_tls_name(const struct check_probe *probe, char *out);
/* Judge the days that a certificate has left; PROBE_REASON_OK, with or without a warning, or a failure and its detail.
 */
enum probe_reason probe_judge_certificate(struct check_probe *probe, const struct tls_peer *peer);
/* Tell who watches what came in the handshake. */
void probe_note_peer(const struct check_probe *probe, const struct tls_peer *peer);
/* Bytes for people: printable ones as they are, the others escaped, at most `size` - 1; NUL-terminated. */
void probe_print_bytes(const void *data, size_t len, char *out, size_t size);

/* Connect to probe->target and ask. They end in probe_finish() or probe_finish_later(). */
void probe_http(struct check_probe *probe);
/* TCP, or TLS, with what is to be sent and expected. */
void probe_stream(struct check_probe *probe);
/* An ICMP echo. */
void probe_icmp(struct check_probe *probe);
/* A DNS question over UDP, and over TCP where the reply is truncated. */
void probe_dns(struct check_probe *probe);
/* grpc.health.v1.Health/Check. */
void probe_grpc(struct check_probe *probe);
/* A datagram, and perhaps its reply. */
void probe_udp(struct check_probe *probe);
/* A program, by the runner. */
void probe_exec(struct check_probe *probe);

#endif
