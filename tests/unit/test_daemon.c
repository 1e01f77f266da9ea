/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/daemon.h"

/* A daemon in miniature. */
struct opts {
	int64_t workers;
	const char *store;
	struct args_list listens;
};

static void on_reload(void *ctx)
{
	struct daemon *d = ctx;
	log_notice(d->log, "reloaded now");
}

static int daemon_main(int argc, char *argv[])
{
	struct opts o = {.workers = 1};
	const struct args_option options[] = {
		{.name = "workers",
		 .kind = ARGS_INT,
		 .target = &o.workers,
		 .value = "N",
		 .help = "threads",
		 .min = 1,
		 .max = 8},
		{.name = "store",
		 .kind = ARGS_STRING,
		 .target = &o.store,
		 .value = "URL",
		 .help = "data",
		 .required = true},
		{.name = "listen", .kind = ARGS_LIST, .target = &o.listens, .value = "ADDR", .help = "serve here"},
	};
	const struct args_spec spec = {
		.usage = "veer-test [options]", .summary = "Nothing much.", .options = options, .option_count = 3};
	struct daemon d;
	int status = daemon_init(&d, "veer-test", &spec, argc, argv);
	if (status >= 0)
		return status;
	daemon_ready(&d, LOG_FIELDS(LOG_INT("workers", o.workers), LOG_STR("store", o.store),
				    LOG_INT("listens", o.listens.count)));
	daemon_ready(&d, LOG_FIELDS(LOG_STR("second", "time")));
	status = daemon_run(&d, on_reload, &d);
	daemon_deinit(&d);
	return status;
}

/* A daemon in a child process. */
struct child {
	pid_t pid;
	int out; /* its stdout and stderr */
	char text[8192];
	size_t len;
};

static void child_start(struct child *c, int argc, char *argv[])
{
	int fds[2];
	memset(c, 0, sizeof *c);
	assert_int_equal(pipe(fds), 0);
	(void)fflush(NULL);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(fds[1], STDERR_FILENO);
		(void)close(fds[0]);
		(void)close(fds[1]);
		_exit(daemon_main(argc, argv));
	}
	(void)close(fds[1]);
	c->out = fds[0];
}

/* Read until `word` has come; with NULL until the end. */
static void child_wait_for(struct child *c, const char *word)
{
	while (word == NULL || strstr(c->text, word) == NULL) {
		ssize_t n = read(c->out, c->text + c->len, sizeof c->text - 1 - c->len);
		if (n <= 0 && word != NULL)
			fail_msg("'%s' did not come: %s", word, c->text);
		if (n <= 0)
			return;
		c->len += (size_t)n;
	}
}

static int child_end(struct child *c)
{
	int status = 0;
	child_wait_for(c, NULL);
	(void)close(c->out);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;
	for (; *text != '\0'; text++)
		lines += *text == '\n';
	return lines;
}

static void it_says_ready_once_reloads_and_ends_with_zero(void **state)
{
	(void)state;
	const int stop_signals[] = {SIGTERM, SIGINT};
	for (size_t i = 0; i < 2; i++) {
		struct child c;
		char *argv[] = {"veer-test", "--store=x", "--listen", "a", "--log-level", "notice", NULL};
		child_start(&c, 6, argv);
		child_wait_for(&c, "event=ready workers=1 store=x listens=1\n");
		assert_int_equal(kill(c.pid, SIGHUP), 0);
		child_wait_for(&c, "reloaded now");
		(void)kill(c.pid, SIGPIPE);
		assert_int_equal(kill(c.pid, stop_signals[i]), 0);
		assert_int_equal(child_end(&c), 0);
		assert_null(strstr(c.text, "second"));
		assert_null(strstr(c.text, "level=info")); /* --log-level applies to the rest */
	}
}

static void ready_is_said_at_any_log_level(void **state)
{
	(void)state;
	struct child c;
	char *argv[] = {"veer-test", "--store=x", "--log-level=error", "--log-format=json", NULL};
	child_start(&c, 4, argv);
	child_wait_for(&c, "\"event\":\"ready\"");
	assert_int_equal(kill(c.pid, SIGTERM), 0);
	assert_int_equal(child_end(&c), 0);
	assert_int_equal(count_lines(c.text), 1);
}

static void mistakes_exit_2_with_one_line(void **state)
{
	(void)state;
	const char *const cases[][3] = {
		{"--zome", "x", "veer-test: unknown option --zome"},
		{"--stor=x", "--workers=2", "veer-test: unknown option --stor (did you mean --store?)"},
		{"--workers=2", "--listen=a", "veer-test: option --store URL is required"},
		{"--workers=99", "--store=x", "veer-test: option --workers must be from 1 to 8"},
		{"--config=/nonexistent.yaml", "--store=x", "veer-test: /nonexistent.yaml: cannot open: No such file"},
		{"--log-level=loud", "--store=x", "veer-test: option --log-level must be error, warning"},
		{"--store=x", "stray\nline", "veer-test: unexpected argument 'stray?line'"},
		{"--config", "--store=x", "veer-test: option --config needs a value"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct child c;
		char first[64];
		char second[64];
		(void)snprintf(first, sizeof first, "%s", cases[i][0]);
		(void)snprintf(second, sizeof second, "%s", cases[i][1]);
		char *argv[] = {"veer-test", first, second, NULL};
		child_start(&c, 3, argv);
		assert_int_equal(child_end(&c), 2);
		if (strncmp(c.text, cases[i][2], strlen(cases[i][2])) != 0 || count_lines(c.text) != 1)
			fail_msg("%s: %s", cases[i][0], c.text);
	}
}

static void a_file_gives_options_and_its_errors_have_lines(void **state)
{
	(void)state;
	const struct {
		const char *text;
		int status;
		const char *says;
	} cases[] = {
		{"store: from-file\nworkers: 3\nlisten: [a, b]\nlog_format: text\n", 0,
		 "event=ready workers=4 store=from-file listens=2"},
		{"store: x\nwokers: 3\n", 2, ":2: unknown key 'wokers' (did you mean 'workers'?)\n"},
		{"store: x\nconfig: y\n", 2, ":2: unknown key 'config'"},
		{"workers: 3\n", 2, "option --store URL is required\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct child c;
		char path[] = "/tmp/veer-test-XXXXXX";
		int fd = mkstemp(path);
		assert_true(fd >= 0 && write(fd, cases[i].text, strlen(cases[i].text)) > 0);
		(void)close(fd);
		char *argv[] = {"veer-test", "--config", path, "--workers=4", NULL};
		child_start(&c, 4, argv);
		child_wait_for(&c, cases[i].says);
		if (cases[i].status == 0)
			(void)kill(c.pid, SIGTERM);
		assert_int_equal(child_end(&c), cases[i].status);
		(void)unlink(path);
	}
}

static void help_and_version_exit_0(void **state)
{
	(void)state;
	struct child c;
	char *help[] = {"veer-test", "--help", NULL};
	child_start(&c, 2, help);
	assert_int_equal(child_end(&c), 0);
	assert_memory_equal(c.text, "usage: veer-test [options]\n", 27);
	assert_non_null(strstr(c.text, "--store URL"));
	assert_non_null(strstr(c.text, "--config FILE"));
	assert_non_null(strstr(c.text, "--log-format FORMAT"));
	char *version[] = {"veer-test", "--version", NULL};
	child_start(&c, 2, version);
	assert_int_equal(child_end(&c), 0);
	assert_string_equal(c.text, "veer-test " VEER_VERSION "\n");
}

static void options_can_be_read_again_for_a_reload(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		struct daemon_options o;
		struct veer_diag diag = {.text = ""};
		const char *store = NULL;
		const struct args_option option = {.name = "store",
						   .kind = ARGS_STRING,
						   .target = &store,
						   .value = "U",
						   .help = "",
						   .required = true};
		const struct args_spec spec = {.usage = "t", .summary = "", .options = &option, .option_count = 1};
		char *argv[] = {"t", "--store=x", NULL};
		assert_int_equal(daemon_options_parse(&o, &spec, 2, argv, &diag), VEER_OK);
		assert_string_equal(store, "x");
		daemon_options_deinit(&o);
		assert_int_equal(daemon_options_parse(&o, &spec, 1, argv, &diag), VEER_EINVAL);
		daemon_options_deinit(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_ready_once_reloads_and_ends_with_zero),
		cmocka_unit_test(ready_is_said_at_any_log_level),
		cmocka_unit_test(mistakes_exit_2_with_one_line),
		cmocka_unit_test(a_file_gives_options_and_its_errors_have_lines),
		cmocka_unit_test(help_and_version_exit_0),
		cmocka_unit_test(options_can_be_read_again_for_a_reload),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
