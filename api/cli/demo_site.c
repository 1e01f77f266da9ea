/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demonstration's sites: small real HTTP servers, each a process of its own that `veer demo stop` ends and `veer
 * demo start` starts again. A site ends by itself when the demonstration ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/cli/cli.h"
#include "api/cli/demo.h"
#include "base/file.h"
#include "base/text.h"

enum { END_TIMEOUT_MS = 5000, START_TIMEOUT_MS = 5000 };

const struct demo_site demo_sites[DEMO_SITES] = {
	{"fra", "eu", "127.0.1.1", 50.11, 8.68},
	{"iad", "us", "127.0.1.2", 38.94, -77.46},
	{"sin", "ap", "127.0.1.3", 1.35, 103.99},
};

const struct demo_site *demo_site_find(const char *name)
{
	for (size_t i = 0; i < DEMO_SITES; i++)
		if (strcmp(demo_sites[i].name, name) == 0)
			return &demo_sites[i];
	return NULL;
}

void demo_path(const char *rest, char out[DEMO_PATH_SIZE])
{
	ssize_t len = readlink("/proc/self/exe", out, DEMO_PATH_SIZE - 128);
	out[len > 0 ? len : 0] = '\0';
	char *slash = strrchr(out, '/');
	size_t at = slash != NULL ? (size_t)(slash - out) : 0;
	(void)snprintf(out + at, DEMO_PATH_SIZE - at, "/demo%s", rest);
}

static bool read_port(const char *variable, uint16_t *out)
{
	int64_t port = *out;
	const char *text = getenv(variable);
	if (text != NULL && text[0] != '\0' && !text_to_int(text, 1, 65535, &port))
		return false;
	*out = (uint16_t)port;
	return true;
}

static enum veer_err read_variables(struct demo_ports *ports, struct veer_diag *diag)
{
	if (read_port("DNS_PORT", &ports->dns) && read_port("API_PORT", &ports->api) &&
	    read_port("SITE_PORT", &ports->site))
		return VEER_OK;
	return veer_fail(diag, VEER_EINVAL, "DNS_PORT, API_PORT and SITE_PORT must be from 1 to 65535");
}

enum veer_err demo_ports_begin(struct demo_ports *out, struct veer_diag *diag)
{
	char path[DEMO_PATH_SIZE], line[32];
	*out = (struct demo_ports){.dns = 5300, .api = 8053, .site = 8080};
	enum veer_err err = read_variables(out, diag);
	int len = snprintf(line, sizeof line, "%u %u %u\n", out->dns, out->api, out->site);
	demo_path("/ports", path);
	return err == VEER_OK ? file_write_atomic(path, line, (size_t)len, 0600, diag) : err;
}

enum veer_err demo_ports_read(struct demo_ports *out, struct veer_diag *diag)
{
	char path[DEMO_PATH_SIZE], line[32];
	unsigned dns, api, site;
	demo_path("/ports", path);
	if (file_read_line(path, line, sizeof line, NULL) != VEER_OK ||
	    sscanf(line, "%u %u %u", &dns, &api, &site) != 3 || dns > 65535 || api > 65535 || site > 65535)
		return veer_fail(diag, VEER_ENOTFOUND, "the demonstration does not run: begin it with make run");
	*out = (struct demo_ports){.dns = (uint16_t)dns, .api = (uint16_t)api, .site = (uint16_t)site};
	return VEER_OK;
}

static void pid_path(const char *name, char out[DEMO_PATH_SIZE])
{
	char rest[96];
	(void)snprintf(rest, sizeof rest, "/%s.pid", name);
	demo_path(rest, out);
}

/* The process id in a pid file if that process is alive and runs one of our programs; 0 otherwise. */
static pid_t read_pid(const char *name)
{
	char path[DEMO_PATH_SIZE], line[32], exe[64], theirs[DEMO_PATH_SIZE], ours[DEMO_PATH_SIZE];
	int64_t pid;
	pid_path(name, path);
	if (file_read_line(path, line, sizeof line, NULL) != VEER_OK || !text_to_int(line, 2, INT32_MAX, &pid))
		return 0;
	(void)snprintf(exe, sizeof exe, "/proc/%d/exe", (int)pid);
	ssize_t their_len = readlink(exe, theirs, sizeof theirs),
		our_len = readlink("/proc/self/exe", ours, sizeof ours);
	return their_len > 0 && their_len == our_len && memcmp(theirs, ours, (size_t)our_len) == 0 ? (pid_t)pid : 0;
}

static enum veer_err write_pid(const char *name, pid_t pid)
{
	char path[DEMO_PATH_SIZE], line[32];
	pid_path(name, path);
	int len = snprintf(line, sizeof line, "%d\n", (int)pid);
	return file_write_atomic(path, line, (size_t)len, 0600, NULL);
}

/*
 * In the new process: begin a session of its own, then run `veer demo site NAME FD`, which reports on FD when it
 * serves.
 */
static void become_site(const struct demo_site *site, int tell)
{
	char number[16], log_path[DEMO_PATH_SIZE];
	demo_path("/log/sites.log", log_path);
	(void)setsid();
	int null = open("/dev/null", O_RDWR), log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(log >= 0 ? log : null, STDERR_FILENO);
	(void)snprintf(number, sizeof number, "%d", tell);
	(void)execl("/proc/self/exe", "veer", "demo", "site", site->name, number, (char *)NULL);
	_exit(127);
}

enum veer_err demo_site_start(const struct demo_site *site, struct veer_diag *diag)
{
	int ends[2];
	char byte;
	if (read_pid(site->name) != 0)
		return VEER_OK;
	if (pipe(ends) != 0)
		return veer_fail(diag, VEER_EIO, "%s: %s", site->name, strerror(errno));
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		become_site(site, ends[1]);
	}
	(void)close(ends[1]);
	struct pollfd p = {.fd = ends[0], .events = POLLIN};
	bool serves = pid > 0 && poll(&p, 1, START_TIMEOUT_MS) == 1 && read(ends[0], &byte, 1) == 1;
	(void)close(ends[0]);
	return serves ? VEER_OK
		      : veer_fail(diag, VEER_EIO, "the site %s does not start: see the demonstration's log/sites.log",
				  site->name);
}

enum veer_err demo_site_stop(const struct demo_site *site, struct veer_diag *diag)
{
	char path[DEMO_PATH_SIZE];
	pid_path(site->name, path);
	pid_t pid = read_pid(site->name);
	if (pid != 0) {
		int fd = (int)syscall(SYS_pidfd_open, pid, 0);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (fd >= 0) {
			(void)syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
			int ended = poll(&p, 1, END_TIMEOUT_MS);
			(void)close(fd);
			if (ended != 1)
				return veer_fail(diag, VEER_ETIMEOUT, "the site %s does not end", site->name);
			(void)waitpid(pid, NULL, WNOHANG);
		}
	}
	return file_remove(path, diag);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *upload, size_t *upload_len, void **state)
{
	char text[128];
	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	*upload_len = 0;
	if (*state == NULL) {
		*state = ctx;
		return MHD_YES;
	}
	int len = snprintf(text, sizeof text, "Hello from %s\n", (const char *)ctx);
	struct MHD_Response *response = MHD_create_response_from_buffer((size_t)len, text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

/* Wait for SIGTERM, or for the end of the demonstration itself. */
static void wait_for_end(int signal_fd)
{
	pid_t demo = read_pid("run");
	int fd = demo != 0 ? (int)syscall(SYS_pidfd_open, demo, 0) : -1;
	struct pollfd waits[2] = {{.fd = signal_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	while (poll(waits, 2, -1) < 0 && errno == EINTR)
		continue;
	if (fd >= 0)
		(void)close(fd);
}

int cli_demo_site(int argc, char *argv[], int first)
{
	struct demo_ports ports;
	struct veer_diag diag = {""};
	const struct demo_site *site = argc > first ? demo_site_find(argv[first]) : NULL;
	int64_t tell = -1;
	if (site == NULL || argc <= first + 1 || !text_to_int(argv[first + 1], 0, 65535, &tell) ||
	    demo_ports_read(&ports, &diag) != VEER_OK)
		return CLI_USAGE;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(ports.site)};
	(void)inet_pton(AF_INET, site->address, &at.sin_addr);
	sigset_t wanted;
	(void)sigemptyset(&wanted);
	(void)sigaddset(&wanted, SIGTERM);
	(void)sigaddset(&wanted, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &wanted, NULL);
	int signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC);
	struct MHD_Daemon *daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD, ports.site, NULL, NULL, answer, (void *)(uintptr_t)site->name,
		MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
	if (daemon == NULL || signal_fd < 0 || write_pid(site->name, getpid()) != VEER_OK) {
		(void)fprintf(stderr, "veer: the site %s cannot listen on %s port %d: %s\n", site->name, site->address,
			      ports.site, strerror(errno));
		return CLI_FAILED;
	}
	(void)file_write_all((int)tell, "!", 1);
	(void)close((int)tell);
	wait_for_end(signal_fd);
	MHD_stop_daemon(daemon);
	return CLI_OK;
}

/* Run `veer demo stop NAME` or `veer demo start NAME`. */
static int act(int argc, char *argv[], int first, const char *usage, const char *summary,
	       enum veer_err (*action)(const struct demo_site *site, struct veer_diag *diag), const char *said)
{
	struct cli cli = {0};
	struct args args;
	struct args_option table[CLI_OPTION_COUNT];
	struct args_spec spec = {.usage = usage, .summary = summary, .positional_min = 1, .positional_max = 1};
	int code = cli_parse(&cli, &args, &spec, table, 0, argc, argv, first);
	if (code >= 0)
		return code;
	struct veer_diag diag = {""};
	const struct demo_site *site = demo_site_find(args.positional.items[0]);
	if (read_pid("run") == 0)
		(void)veer_fail(&diag, VEER_ENOTFOUND, "the demonstration does not run: start it with make run");
	else if (site == NULL)
		(void)veer_fail(&diag, VEER_ENOTFOUND, "there is no site \"%s\": fra, iad or sin",
				args.positional.items[0]);
	code = diag.text[0] != '\0' || action(site, &diag) != VEER_OK ? cli_fail(&diag) : CLI_OK;
	if (code == CLI_OK)
		(void)printf("%s %s\n", site->name, said);
	args_deinit(&args);
	return code;
}

int cli_demo_stop(int argc, char *argv[], int first)
{
	return act(argc, argv, first, "veer demo stop fra|iad|sin", "Ends the server of one site of the demonstration.",
		   demo_site_stop, "stopped");
}

int cli_demo_start(int argc, char *argv[], int first)
{
	return act(argc, argv, first, "veer demo start fra|iad|sin",
		   "Starts the server of one site of the demonstration again.", demo_site_start, "started");
}
