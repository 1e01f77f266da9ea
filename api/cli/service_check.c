/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cli/service_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/cli/service.h"
#include "base/addr.h"
#include "base/file.h"
#include "base/privilege.h"
#include "base/resolvers.h"
#include "probes/verdict/reference_address.h"
#include "probes/verdict/target.h"
#include "zones/model/model.h"

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

struct checker {
	const struct config *config;
	struct veer_diag *diag;
	bool with_files;   /* files that are named must be readable, too */
	enum veer_err err; /* for the first thing that is wrong */
};

__attribute__((format(printf, 3, 4))) static void refuse(struct checker *c, const char *pointer, const char *fmt, ...)
{
	struct veer_diag why;
	va_list ap;
	if (c->err != VEER_OK)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(why.text, sizeof why.text, fmt, ap);
	va_end(ap);
	c->err = config_fail(c->config, pointer, c->diag, VEER_EINVAL, "%.400s", why.text);
}

static void check_state(struct checker *c, const char *state)
{
	if (state[0] != '/')
		refuse(c, "/state", "state: must be an absolute path");
	else if (strlen(state) + sizeof "/api.sock" > sizeof((struct sockaddr_un *)NULL)->sun_path)
		refuse(c, "/state", "state: the path is too long for the sockets below it (at most %zu bytes)",
		       sizeof((struct sockaddr_un *)NULL)->sun_path - sizeof "/api.sock");
}

/* A file that cannot be read stops only the child that needs it, not the other programs: so only a check refuses it. */
static void check_file(struct checker *c, const char *pointer, const char *key, const char *path)
{
	if (c->with_files && path != NULL && access(path, R_OK) != 0)
		refuse(c, pointer, "%s: %.200s: %s", key, path, strerror(errno));
}

static void check_listen(struct checker *c, const char *section, const json_t *list, bool has_tls, bool is_dns)
{
	size_t i;
	json_t *element;
	json_array_foreach((json_t *)(uintptr_t)list, i, element)
	{
		char pointer[64];
		struct veer_listen at;
		struct veer_diag why = {""};
		const char *address = json_string_value(element);
		(void)snprintf(pointer, sizeof pointer, "/%s/listen/%zu", section, i);
		if (address == NULL) {
			refuse(c, pointer, "listen: must be a text");
			continue;
		}
		enum veer_err err =
			is_dns ? veer_listen_parse_dns(address, &at, &why) : veer_listen_parse_http(address, &at, &why);
		if (err != VEER_OK)
			refuse(c, pointer, "listen: %.300s", why.text);
		else if (!is_dns && !has_tls && !veer_listen_is_local(&at))
			refuse(c, pointer, "listen: \"%s\": beyond loopback only over TLS: give tls_cert and tls_key",
			       address);
	}
}

/* Check `user` and `group`, and `exec_user`, which checks' programs run as. The child would refuse them, too. */
static void check_users(struct checker *c, const char *section, const json_t *object)
{
	char pointer[64];
	const struct privilege_names own = {
		.user = text(object, "user"), .group = text(object, "group"), .option = "user"};
	const struct privilege_names other = {.user = text(object, "exec_user"), .option = "exec_user"};
	struct privilege_user user;
	struct veer_diag why = {""};
	(void)snprintf(pointer, sizeof pointer, "%s/%s", section, own.user != NULL ? "user" : "group");
	if (privilege_find(&own, &user, &why) != VEER_OK)
		refuse(c, pointer, "%.300s", why.text);
	(void)snprintf(pointer, sizeof pointer, "%s/exec_user", section);
	if (privilege_find(&other, &user, &why) != VEER_OK)
		refuse(c, pointer, "%.300s", why.text);
}

/*
 * An item of a list. The list may contain anything if its program could not be asked: NULL for an item that is not a
 * text, which is refused.
 */
static const char *item_of(struct checker *c, const json_t *list, size_t i, const char *pointer)
{
	const char *item = json_string_value(json_array_get(list, i));
	if (item == NULL)
		refuse(c, pointer, "must be a text");
	return item;
}

static void check_resolvers(struct checker *c, const json_t *list)
{
	const char *texts[RESOLVERS_MAX];
	struct resolvers resolvers;
	struct veer_diag why = {""};
	size_t count = json_array_size(list);
	for (size_t i = 0; i < count && i < RESOLVERS_MAX; i++)
		if ((texts[i] = item_of(c, list, i, "/api/resolver")) == NULL)
			return;
	if (resolvers_parse(texts, count, &resolvers, &why) != VEER_OK)
		refuse(c, "/api/resolver", "resolver: %.300s", why.text);
}

static void check_api(struct checker *c, const json_t *api)
{
	const char *cert = text(api, "tls_cert"), *key = text(api, "tls_key");
	if ((cert == NULL) != (key == NULL))
		refuse(c, "/api", "api: tls_cert and tls_key go together");
	check_file(c, "/api/tls_cert", "tls_cert", cert);
	check_file(c, "/api/tls_key", "tls_key", key);
	check_listen(c, "api", json_object_get(api, "listen"), cert != NULL, false);
	check_users(c, "/api", api);
	check_resolvers(c, json_object_get(api, "resolver"));
}

static void check_exempt(struct checker *c, const json_t *prefixes)
{
	for (size_t i = 0; i < json_array_size(prefixes); i++) {
		char pointer[64];
		struct veer_prefix prefix;
		(void)snprintf(pointer, sizeof pointer, "/dnsd/rrl_exempt/%zu", i);
		const char *item = item_of(c, prefixes, i, pointer);
		if (item == NULL)
			continue;
		bool is_none = json_array_size(prefixes) == 1 && strcmp(item, "none") == 0;
		if (!is_none && veer_prefix_parse(item, &prefix) != VEER_OK)
			refuse(c, pointer, "rrl_exempt: %.300s is not a prefix", item);
	}
}

/* Check the addresses where queries (dnstap) and counters (metrics) can be read. */
static void check_views(struct checker *c, const json_t *dnsd)
{
	const char *metrics = text(dnsd, "metrics"), *dnstap = text(dnsd, "dnstap");
	struct veer_listen at;
	struct veer_diag why = {""};
	if (metrics != NULL && veer_listen_parse_http(metrics, &at, &why) != VEER_OK)
		refuse(c, "/dnsd/metrics", "metrics: %.300s", why.text);
	else if (metrics != NULL && at.is_unix)
		refuse(c, "/dnsd/metrics", "metrics: must be ADDR:PORT");
	if (dnstap != NULL && strncmp(dnstap, "unix:", 5) != 0)
		refuse(c, "/dnsd/dnstap", "dnstap: must be unix:PATH");
	check_file(c, "/dnsd/cookie_secret_file", "cookie_secret_file", text(dnsd, "cookie_secret_file"));
}

static void check_dnsd(struct checker *c, const json_t *dnsd)
{
	const json_t *files = json_object_get(dnsd, "geoip");
	check_listen(c, "dnsd", json_object_get(dnsd, "listen"), false, true);
	for (size_t i = 0; i < json_array_size(files); i++) {
		char pointer[64];
		(void)snprintf(pointer, sizeof pointer, "/dnsd/geoip/%zu", i);
		check_file(c, pointer, "geoip", json_string_value(json_array_get(files, i)));
	}
	check_exempt(c, json_object_get(dnsd, "rrl_exempt"));
	check_views(c, dnsd);
	check_users(c, "/dnsd", dnsd);
}

static void check_targets(struct checker *c, size_t probe, const char *key, const char *targets, bool is_denied)
{
	char pointer[64];
	struct target_rules rules;
	struct veer_diag why = {""};
	(void)snprintf(pointer, sizeof pointer, "/probes/%zu/%s", probe, key);
	if (target_rules_parse(is_denied ? NULL : targets, is_denied ? targets : NULL, &rules, &why) != VEER_OK)
		refuse(c, pointer, "%s: %.300s", key, why.text);
}

static void check_references(struct checker *c, size_t probe, const json_t *texts)
{
	for (size_t i = 0; i < json_array_size(texts); i++) {
		char pointer[64];
		struct veer_diag why = {""};
		(void)snprintf(pointer, sizeof pointer, "/probes/%zu/reference/%zu", probe, i);
		const char *reference = item_of(c, texts, i, pointer);
		if (reference != NULL && reference_addresses_check(&reference, 1, &why) != VEER_OK)
			refuse(c, pointer, "reference: %.300s", why.text);
	}
}

static void check_probes(struct checker *c, const json_t *probes)
{
	for (size_t i = 0; i < json_array_size(probes); i++) {
		char pointer[64];
		const char *name = text(json_array_get(probes, i), "name"),
			   *region = text(json_array_get(probes, i), "region");
		(void)snprintf(pointer, sizeof pointer, "/probes/%zu/name", i);
		if (!model_is_name(name))
			refuse(c, pointer, "name: \"%s\" is not a name (1 to 63 of a-z 0-9 -)", name);
		for (size_t k = 0; k < i; k++)
			if (strcmp(text(json_array_get(probes, k), "name"), name) == 0)
				refuse(c, pointer, "name: \"%s\" is taken by another agent", name);
		(void)snprintf(pointer, sizeof pointer, "/probes/%zu/region", i);
		if (!model_is_name(region))
			refuse(c, pointer, "region: \"%s\" is not a name (1 to 63 of a-z 0-9 -)", region);
		check_targets(c, i, "allow_targets", text(json_array_get(probes, i), "allow_targets"), false);
		check_targets(c, i, "deny_targets", text(json_array_get(probes, i), "deny_targets"), true);
		check_references(c, i, json_object_get(json_array_get(probes, i), "reference"));
		const char *exec = text(json_array_get(probes, i), "allow_exec");
		(void)snprintf(pointer, sizeof pointer, "/probes/%zu/allow_exec", i);
		if (exec != NULL && exec[0] != '/')
			refuse(c, pointer, "allow_exec: must be an absolute path");
		(void)snprintf(pointer, sizeof pointer, "/probes/%zu", i);
		check_users(c, pointer, json_array_get(probes, i));
	}
}

enum veer_err service_check(const struct config *config, const json_t *service, bool with_files, struct veer_diag *diag)
{
	struct checker c = {config, diag, with_files, VEER_OK};
	check_state(&c, text(service, "state"));
	check_api(&c, json_object_get(service, "api"));
	check_dnsd(&c, json_object_get(service, "dnsd"));
	check_probes(&c, json_object_get(service, "probes"));
	return c.err;
}
