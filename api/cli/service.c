/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cli/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/file.h"
#include "base/privilege.h"
#include "base/resolvers.h"
#include "probes/verdict/reference_address.h"
#include "probes/verdict/target.h"
#include "zones/model/model.h"

enum { ARGV_MAX = 512, TEXTS_BYTES = 1 << 20, TABLES_BYTES = 1 << 20, PROBES_MAX = 32 };

/* What `veer run` decides for the programs, and what its file says beside their options. */
static const char *const none[] = {NULL};
static const char *const api_own[] = {"store", "feed-user", "open-socket", NULL};
static const struct service_section api_section = {"veer-api", api_own, none, none};
static const char *const dnsd_own[] = {"zone", "feed", "state", "token-file", "ca-file", "control", NULL};
static const char *const dnsd_required[] = {"listen", NULL};
static const struct service_section dnsd_section = {"veer-dnsd", dnsd_own, dnsd_required, none};
static const char *const probe_own[] = {"api", "token-file", "state", "ca-file", NULL};
static const char *const probe_required[] = {"name", "region", NULL};
static const char *const probe_more[] = {"name", NULL};
static const struct service_section probe_section = {"veer-probe", probe_own, probe_required, probe_more};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

enum veer_err service_find_programs(struct service *s, struct veer_diag *diag)
{
	char probe[SERVICE_PATH_SIZE + 32];
	ssize_t len = readlink("/proc/self/exe", s->programs, sizeof s->programs - 16);
	if (len <= 0)
		return veer_fail(diag, VEER_EIO, "/proc/self/exe cannot be read");
	s->programs[len] = '\0';
	*strrchr(s->programs, '/') = '\0';
	(void)snprintf(probe, sizeof probe, "%s/veer-api", s->programs);
	if (access(probe, X_OK) == 0)
		return VEER_OK;
	(void)snprintf(probe, sizeof probe, "%s/../sbin/veer-api", s->programs);
	if (access(probe, X_OK) != 0)
		return veer_fail(diag, VEER_ENOTFOUND, "veer-api is not beside veer (%s)", s->programs);
	(void)memcpy(s->programs + strlen(s->programs), "/../sbin", sizeof "/../sbin");
	return VEER_OK;
}

/* What the schema cannot say; the children would refuse it too, but one by one and without the line. */
struct checker {
	const struct config *config;
	struct veer_diag *diag;
	bool with_files;   /* files that are named must be readable, too */
	enum veer_err err; /* of the first thing that is wrong */
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

/* A file that cannot be read is the child's trouble, which must not be that of the others: only a check refuses it. */
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
		enum veer_err err =
			is_dns ? veer_listen_parse_dns(address, &at, &why) : veer_listen_parse_http(address, &at, &why);
		if (err != VEER_OK)
			refuse(c, pointer, "listen: %.300s", why.text);
		else if (!is_dns && !has_tls && !veer_listen_is_local(&at))
			refuse(c, pointer, "listen: \"%s\": beyond loopback only over TLS: give tls_cert and tls_key",
			       address);
	}
}

/* The child would refuse it, too. */
static void check_user(struct checker *c, const char *section, const json_t *object)
{
	char pointer[64];
	const struct privilege_names names = {.user = text(object, "user"), .option = "user"};
	struct privilege_user user;
	struct veer_diag why = {""};
	(void)snprintf(pointer, sizeof pointer, "%s/user", section);
	if (privilege_find(&names, &user, &why) != VEER_OK)
		refuse(c, pointer, "%.300s", why.text);
}

static void check_resolvers(struct checker *c, const json_t *list)
{
	const char *texts[RESOLVERS_MAX];
	struct resolvers resolvers;
	struct veer_diag why = {""};
	size_t count = json_array_size(list);
	for (size_t i = 0; i < count && i < RESOLVERS_MAX; i++)
		texts[i] = json_string_value(json_array_get(list, i));
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
	check_user(c, "/api", api);
	check_resolvers(c, json_object_get(api, "resolver"));
}

static void check_exempt(struct checker *c, const json_t *prefixes)
{
	for (size_t i = 0; i < json_array_size(prefixes); i++) {
		char pointer[64];
		struct veer_prefix prefix;
		const char *item = json_string_value(json_array_get(prefixes, i));
		bool is_none = json_array_size(prefixes) == 1 && strcmp(item, "none") == 0;
		(void)snprintf(pointer, sizeof pointer, "/dnsd/rrl_exempt/%zu", i);
		if (!is_none && veer_prefix_parse(item, &prefix) != VEER_OK)
			refuse(c, pointer, "rrl_exempt: %.300s is not a prefix", item);
	}
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
	check_user(c, "/dnsd", dnsd);
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
		const char *reference = json_string_value(json_array_get(texts, i));
		(void)snprintf(pointer, sizeof pointer, "/probes/%zu/reference/%zu", probe, i);
		if (reference_addresses_check(&reference, 1, &why) != VEER_OK)
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
		(void)snprintf(pointer, sizeof pointer, "/probes/%zu", i);
		check_user(c, pointer, json_array_get(probes, i));
	}
}

static enum veer_err check_service(const struct config *config, const json_t *service, bool with_files,
				   struct veer_diag *diag)
{
	struct checker c = {config, diag, with_files, VEER_OK};
	check_state(&c, text(service, "state"));
	check_api(&c, json_object_get(service, "api"));
	check_dnsd(&c, json_object_get(service, "dnsd"));
	check_probes(&c, json_object_get(service, "probes"));
	return c.err;
}

/* A program that is not there, or does not answer, is its own trouble: the supervisor says so, the others go on. */
static enum veer_err ask_program(struct service *s, const struct service_section *section, struct config_schema *out,
				 bool is_strict, struct veer_diag *diag)
{
	enum veer_err err = service_options_ask(s->programs, section, s->arena, out, diag);
	if (err == VEER_OK || err == VEER_ENOMEM || is_strict)
		return err;
	(void)fprintf(stderr, "veer: %s; its section of the configuration is not checked\n", diag->text);
	diag->text[0] = '\0';
	return service_options_open(section, s->arena, out);
}

/* Read the document by what the programs take. */
static enum veer_err read_service(const struct config *config, struct service *s, bool is_strict,
				  struct veer_diag *diag)
{
	enum veer_err err = ask_program(s, &api_section, &s->api, is_strict, diag);
	if (err == VEER_OK)
		err = ask_program(s, &dnsd_section, &s->dnsd, is_strict, diag);
	if (err == VEER_OK)
		err = ask_program(s, &probe_section, &s->probe, is_strict, diag);
	const struct config_field fields[] = {
		{.key = "state", .type = CONFIG_STRING, .required = true, .min = 1, .max = SERVICE_PATH_SIZE - 64},
		{.key = "api", .type = CONFIG_MAPPING, .schema = &s->api},
		{.key = "dnsd", .type = CONFIG_MAPPING, .schema = &s->dnsd},
		{.key = "probes", .type = CONFIG_MAPPINGS, .max = PROBES_MAX, .schema = &s->probe},
	};
	const struct config_schema schema = {.fields = fields, .count = sizeof fields / sizeof fields[0]};
	return err == VEER_OK ? config_to_json(config, &schema, &s->config, diag) : err;
}

enum veer_err service_load(const char *path, bool with_files, struct service *out, struct veer_diag *diag)
{
	struct config *config = NULL;
	*out = (struct service){.arena = arena_new(TABLES_BYTES)};
	enum veer_err err = out->arena != NULL ? config_load(path, &config, diag) : VEER_ENOMEM;
	if (err == VEER_OK)
		err = service_find_programs(out, diag);
	if (err == VEER_OK)
		err = read_service(config, out, with_files, diag);
	if (err == VEER_OK)
		err = check_service(config, out->config, with_files, diag);
	config_free(&config);
	const char *state = text(out->config, "state");
	if (err == VEER_OK) {
		(void)snprintf(out->state, sizeof out->state, "%s", state);
		(void)snprintf(out->socket, sizeof out->socket, "unix:%s/api.sock", state);
	} else {
		service_deinit(out);
	}
	return err;
}

void service_deinit(struct service *service)
{
	json_decref(service->config);
	service->config = NULL;
	arena_free(&service->arena);
}

/* An argv under construction; its texts live in the arena. */
struct command {
	struct arena *arena;
	const char *argv[ARGV_MAX];
	size_t count;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct command *c, const char *fmt, ...)
{
	char word[2 * SERVICE_PATH_SIZE];
	va_list ap;
	va_start(ap, fmt);
	int len = vsnprintf(word, sizeof word, fmt, ap);
	va_end(ap);
	char *copy = arena_strdup(c->arena, word);
	if (len < 0 || (size_t)len >= sizeof word || copy == NULL || c->count + 1 >= ARGV_MAX)
		c->failed = true;
	else
		c->argv[c->count++] = copy;
}

static void add_text(struct command *c, const char *option, const char *value)
{
	if (value == NULL)
		return;
	add(c, "%s", option);
	add(c, "%s", value);
}

/* "--tls-cert" of the key "tls_cert". */
static const char *option_of(const char *key, char *out, size_t size)
{
	(void)snprintf(out, size, "--%s", key);
	for (char *at = out; *at != '\0'; at++)
		if (*at == '_')
			*at = '-';
	return out;
}

static void add_value(struct command *c, const char *key, const json_t *value)
{
	char option[128];
	(void)option_of(key, option, sizeof option);
	if (json_is_string(value))
		add(c, "%s=%s", option, json_string_value(value));
	else if (json_is_integer(value))
		add(c, "%s=%lld", option, (long long)json_integer_value(value));
	else if (json_is_true(value))
		add(c, "%s", option);
	for (size_t i = 0; i < json_array_size(value); i++)
		add_value(c, key, json_array_get(value, i));
}

/* All that the section says, as the program's options. */
static void add_section(struct command *c, const struct service_section *section, const json_t *object)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		bool is_more = false;
		for (const char *const *more = section->more; *more != NULL; more++)
			is_more = is_more || strcmp(*more, key) == 0;
		if (!is_more)
			add_value(c, key, value);
	}
}

static enum veer_err add_child(const struct service *s, struct supervisor *supervisor, const struct command *c,
			       struct supervise_spec spec)
{
	char log_path[2 * SERVICE_PATH_SIZE];
	spec.argv = c->argv;
	if (s->log_dir != NULL) {
		(void)snprintf(log_path, sizeof log_path, "%s/%s.log", s->log_dir, spec.name);
		spec.log_path = log_path;
	}
	return c->failed ? VEER_ERANGE : supervisor_add(supervisor, &spec);
}

/* Are there programs with users of their own? */
static bool has_users(const struct service *s)
{
	const json_t *probes = json_object_get(s->config, "probes");
	bool has = text(json_object_get(s->config, "api"), "user") != NULL ||
		   text(json_object_get(s->config, "dnsd"), "user") != NULL;
	for (size_t i = 0; i < json_array_size(probes); i++)
		has = has || text(json_array_get(probes, i), "user") != NULL;
	return has;
}

static enum veer_err make_user_dir(const char *dir, const char *name, struct veer_diag *diag)
{
	struct privilege_user user;
	enum veer_err err = privilege_look_up(name, "user", &user, diag);
	if (err == VEER_OK && user.is_set)
		err = privilege_give_dir(dir, &user, diag);
	return err == VEER_OK ? file_make_dirs(dir, diag) : err;
}

/* It is the control plane's, and its socket and the other programs' directories are in it: those go through. */
enum veer_err service_make_state(const struct service *s, struct veer_diag *diag)
{
	enum veer_err err = make_user_dir(s->state, text(json_object_get(s->config, "api"), "user"), diag);
	if (err == VEER_OK && has_users(s) && chmod(s->state, 0711) != 0)
		err = veer_fail(diag, veer_err_from_errno(errno), "%s: %s", s->state, strerror(errno));
	return err;
}

static enum veer_err add_api(const struct service *s, struct supervisor *supervisor, struct arena *arena)
{
	struct command c = {.arena = arena};
	const json_t *api = json_object_get(s->config, "api");
	add(&c, "%s/veer-api", s->programs);
	add(&c, "--store");
	add(&c, "sqlite:%s/veer.db", s->state);
	add_text(&c, "--listen", s->socket);
	add_section(&c, &api_section, api);
	add_text(&c, "--feed-user", text(json_object_get(s->config, "dnsd"), "user"));
	if (has_users(s))
		add(&c, "--open-socket");
	return add_child(s, supervisor, &c, (struct supervise_spec){.name = "veer-api"});
}

/*
 * The name server needs nobody: it is started at once and serves what it has saved. One that is left of a `veer run`
 * that was killed answers on, and this one takes its place.
 */
static enum veer_err add_dnsd(const struct service *s, struct supervisor *supervisor, struct arena *arena)
{
	struct command c = {.arena = arena};
	const json_t *dnsd = json_object_get(s->config, "dnsd");
	if (dnsd == NULL)
		return VEER_OK;
	add(&c, "%s/veer-dnsd", s->programs);
	add_text(&c, "--feed", s->socket);
	add(&c, "--state");
	add(&c, "%s/dnsd", s->state);
	add(&c, "--replace");
	add_section(&c, &dnsd_section, dnsd);
	return add_child(s, supervisor, &c, (struct supervise_spec){.name = "veer-dnsd", .outlives = true});
}

/* The step that writes an agent's token, for the user that the agent will be. */
static enum veer_err add_enrolment(const struct service *s, struct supervisor *supervisor, struct arena *arena,
				   const json_t *probe, const char *dir, const char *step)
{
	static const char *const api_first[] = {"veer-api", NULL};
	struct command c = {.arena = arena};
	add(&c, "/proc/self/exe");
	add(&c, "agent");
	add(&c, "enrol");
	add_text(&c, "--name", text(probe, "name"));
	add_text(&c, "--region", text(probe, "region"));
	add_text(&c, "--api", s->socket);
	add(&c, "--out");
	add(&c, "%s/token", dir);
	add_text(&c, "--owner", text(probe, "user"));
	return add_child(s, supervisor, &c, (struct supervise_spec){.name = step, .is_once = true, .needs = api_first});
}

/* An agent that has no identity yet is enrolled first. */
static enum veer_err add_probe(const struct service *s, struct supervisor *supervisor, struct arena *arena,
			       const json_t *probe)
{
	char identity[3 * SERVICE_PATH_SIZE], dir[2 * SERVICE_PATH_SIZE], child[96], step[96];
	const char *name = text(probe, "name");
	(void)snprintf(dir, sizeof dir, "%s/probe-%s", s->state, name);
	(void)snprintf(identity, sizeof identity, "%s/identity.json", dir);
	(void)snprintf(child, sizeof child, "veer-probe-%s", name);
	(void)snprintf(step, sizeof step, "enrol-%s", name);
	const char *const enrolled_first[] = {step, NULL};
	bool needs_enrolment = access(identity, F_OK) != 0;
	enum veer_err err = VEER_OK;
	/* the agent says what is wrong with it */
	(void)make_user_dir(dir, text(probe, "user"), NULL);
	if (needs_enrolment)
		err = add_enrolment(s, supervisor, arena, probe, dir, step);
	struct command c = {.arena = arena};
	add(&c, "%s/veer-probe", s->programs);
	add_text(&c, "--api", s->socket);
	add_text(&c, "--state", dir);
	add(&c, "--token-file");
	add(&c, "%s/token", dir);
	add_section(&c, &probe_section, probe);
	const struct supervise_spec spec = {.name = child, .needs = needs_enrolment ? enrolled_first : NULL};
	return err == VEER_OK ? add_child(s, supervisor, &c, spec) : err;
}

enum veer_err service_add(const struct service *s, struct supervisor *supervisor, struct veer_diag *diag)
{
	struct arena *arena = arena_new(TEXTS_BYTES);
	enum veer_err err = arena != NULL ? VEER_OK : VEER_ENOMEM;
	if (err == VEER_OK)
		err = add_api(s, supervisor, arena);
	if (err == VEER_OK)
		err = add_dnsd(s, supervisor, arena);
	size_t i;
	json_t *probe;
	json_array_foreach(json_object_get(s->config, "probes"), i, probe) if (err == VEER_OK) err =
		add_probe(s, supervisor, arena, probe);
	arena_free(&arena);
	if (err != VEER_OK && diag->text[0] == '\0')
		(void)veer_fail(diag, err, "the service cannot be set up: %s", veer_err_text(err));
	return err;
}
