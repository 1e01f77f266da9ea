/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cli/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/cli/service_check.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/file.h"
#include "base/privilege.h"

enum { ARGV_MAX = 512, TEXTS_BYTES = 1 << 20, TABLES_BYTES = 1 << 20, PROBES_MAX = 32 };

/*
 * For each program: the options that `veer run` sets itself, the keys that its section must have, and the keys that are
 * not options of the program.
 */
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

/*
 * When a program is missing or does not answer, the supervisor reports it and the others still run. (veer-api is the
 * exception: the directory of the programs is found by it.)
 */
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

/* Read the document by the options that the programs accept. */
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
		err = service_check(config, out->config, with_files, diag);
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

/* Turn the key "tls_cert" into "--tls-cert". */
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

/* Add everything that the section says, as options of the program. */
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

/* Do any programs have users of their own? */
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

/*
 * The directory belongs to the control plane's user, but its socket and the other programs' directories are in it, so
 * their users need to pass through it.
 */
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
 * The name server depends on no other program: it is started at once and serves what it has saved. A name server that
 * is left over from a `veer run` that was killed still answers, and this one replaces it.
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

/* Add the step that writes an agent's enrolment token, for the user that the agent will run as. */
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

/* Add an agent. If it has no identity yet, it is enrolled first. */
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
	/* if this fails, the agent itself reports what is wrong */
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
