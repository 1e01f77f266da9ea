/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS for probes: which certificates are trusted, which name they must have, what is wrong with them, how long they
 * last.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "probes/agent/check_impl.h"

#define NAME_SIZE 256
#define NS_PER_S 1000000000

enum probe_reason reason_of_certificate(int verify)
{
	switch (verify) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return PROBE_REASON_TLS_EXPIRED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return PROBE_REASON_TLS_NAME;
	default:
		return PROBE_REASON_TLS_UNTRUSTED;
	}
}

void probe_tls_name(const struct check_probe *probe, char *out)
{
	const struct model_check *check = probe->check;
	const char *name = check->tls.sni != NULL     ? check->tls.sni
			   : check->http.host != NULL ? check->http.host
						      : probe->address;
	struct veer_addr literal;
	size_t len = strlen(name);
	const char *colon = strchr(name, ':');
	const char *bracket = name[0] == '[' ? strchr(name, ']') : NULL;
	if (bracket != NULL) {
		name++;
		len = (size_t)(bracket - name);
	} else if (colon != NULL && veer_addr_parse(name, &literal) != VEER_OK) {
		len = (size_t)(colon - name);
	}
	if (len > 1 && name[len - 1] == '.')
		len--; /* certificates and virtual hosts have names without the final dot */
	(void)snprintf(out, NAME_SIZE, "%.*s", (int)len, name);
}

bool probe_verifies(const struct check_probe *probe)
{
	/* A check by HTTP that was redirected to TLS has no settings for certificates, so the default applies. */
	return !probe->check->tls.is_used || probe->check->tls.verify;
}

bool probe_trust(struct check_probe *probe, bool is_tls, struct x509_store_st **store)
{
	const struct model_check_tls *tls = &probe->check->tls;
	struct veer_diag diag = {""};
	*store = NULL;
	if (!is_tls || tls_trust_store(probe->env->trust, tls->ca_file, tls->ca_pem, store, &diag) == VEER_OK)
		return true;
	probe_finish_later(probe, PROBE_REASON_INTERNAL, probe_detail(probe, "%.180s", diag.text));
	return false;
}

/* The key contains everything that decides with whom a session was made, and whether it may be used again. */
static void set_sessions(const struct check_probe *probe, uint16_t port, const char *name, struct tls_peer *peer)
{
	char address[VEER_ADDR_TEXT_SIZE];
	veer_addr_print(&probe->target, address);
	peer->sessions = probe->env->sessions;
	(void)snprintf(peer->session_key, sizeof peer->session_key, "%s %u %d %s", address, port, probe_verifies(probe),
		       name);
}

bool probe_start_tls(struct check_probe *probe, struct wire *wire, uint16_t port, const char *name,
		     const char *protocols, struct x509_store_st *store, struct tls_peer *peer)
{
	const struct wire_tls spec = {
		.name = name, .verify = probe_verifies(probe), .store = store, .peer = peer, .protocols = protocols};
	*peer = (struct tls_peer){.chains = probe->env->chains, .wants_names = probe->env->note != NULL};
	if (probe->check->tls.resumes)
		set_sessions(probe, port, name, peer);
	if (wire_start_tls(wire, probe->env->tls, &spec))
		return true;
	probe_finish_later(probe, PROBE_REASON_INTERNAL, "TLS cannot be prepared");
	return false;
}

enum probe_reason probe_handshake_failed(struct check_probe *probe, const struct wire *wire,
					 const struct tls_peer *peer)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = code != 0 ? ERR_reason_error_string(code) : NULL;
	if (peer->is_seen && peer->verify != X509_V_OK && probe_verifies(probe)) {
		(void)probe_detail(probe, "%s", X509_verify_cert_error_string(peer->verify));
		return reason_of_certificate(peer->verify);
	}
	if (wire->error != 0)
		why = strerrordesc_np(wire->error);
	(void)probe_detail(probe, "in the handshake: %s", why != NULL ? why : "the connection ended");
	return PROBE_REASON_TLS_FAILED;
}

static int64_t days_left(const struct check_probe *probe, const struct tls_peer *peer)
{
	return tls_days_left(peer->not_after_s, veer_clock_wall_ns(loop_clock(probe->env->loop)) / NS_PER_S);
}

enum probe_reason probe_judge_certificate(struct check_probe *probe, const struct tls_peer *peer)
{
	const struct model_check_tls *tls = &probe->check->tls;
	if (!peer->is_seen || (tls->cert_fail_days == 0 && tls->cert_warn_days == 0))
		return PROBE_REASON_OK;
	int64_t days = days_left(probe, peer);
	bool is_failure = tls->cert_fail_days > 0 && days < (int64_t)tls->cert_fail_days;
	probe->has_warning = !is_failure && tls->cert_warn_days > 0 && days < (int64_t)tls->cert_warn_days;
	if (is_failure || probe->has_warning)
		(void)probe_detail(probe, "the certificate ends in %lld days", (long long)days);
	return is_failure ? PROBE_REASON_TLS_EXPIRES_SOON : PROBE_REASON_OK;
}

void probe_note_peer(const struct check_probe *probe, const struct tls_peer *peer)
{
	if (peer->is_resumed)
		probe_note(probe, "tls", "an earlier session is resumed");
	if (!peer->is_seen)
		return;
	probe_note(probe, "tls", "%s%s", peer->version,
		   peer->verify == X509_V_OK ? ", the chain of certificates is trusted" : "");
	probe_note(probe, "certificate", "subject %s, issuer %s, %lld days left", peer->subject, peer->issuer,
		   (long long)days_left(probe, peer));
	if (peer->verify != X509_V_OK)
		probe_note(probe, "certificate", "%s%s", X509_verify_cert_error_string(peer->verify),
			   probe->check->tls.verify ? "" : " (not verified: the check says so)");
}
