/* SPDX-License-Identifier: Apache-2.0 */
/* veer: the command that people use. Picks the command by its first words. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/cli/cli.h"
#include "base/buf.h"

static const struct args_command commands[] = {
	{"run", "run the whole service on this host, from one configuration file"},
	{"status", "show sites, endpoints, agents and name servers"},
	{"why", "explain how an endpoint stands, and its last change in milliseconds"},
	{"transitions", "show the latest changes of verdicts"},
	{"drain", "take endpoints out of the answers"},
	{"force up", "take endpoints as up, whatever the agents say"},
	{"force down", "take endpoints as down, whatever the agents say"},
	{"release", "end what was said with drain or force"},
	{"freeze", "stop all changes of verdicts (--off: go on)"},
	{"maintenance add", "plan a drain"},
	{"maintenance list", "show what is planned"},
	{"maintenance end", "end a window, or forget one"},
	{"zone import", "load a zone file into the service"},
	{"zone export", "print a zone as a zone file"},
	{"zone list", "list the zones"},
	{"zone delegation", "compare what the parent zone says about a zone with what the zone says"},
	{"backup", "write the whole store into one file"},
	{"restore", "put a backup in the store's place, while veer-api does not run"},
	{"store check", "look whether the store is damaged"},
	{"store repair", "make a new store of what can be read of a damaged one"},
	{"token create", "make a token for the REST API"},
	{"token list", "list the tokens"},
	{"token revoke", "end a token"},
	{"nameserver enrol", "announce a name server and print its one-use token"},
	{"nameserver list", "list the name servers that were enrolled"},
	{"nameserver revoke", "end a name server's credential"},
	{"nameserver adopt", "have a name server follow this store, which it keeps in quarantine"},
	{"agent enrol", "announce a probe agent and print its one-use token"},
	{"agent list", "list the probe agents that were enrolled"},
	{"agent revoke", "end a probe agent's credential"},
	{"demo run", "run the demonstration (what `make run` does)"},
	{"demo stop", "end the server of one demonstration site"},
	{"demo start", "start it again"},
	{"demo seed", "fill the demonstration (started by demo run)"},
	{"demo site", "serve one demonstration site (started by demo run)"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0], HIDDEN = 2 };

static cli_command_fn *const functions[COMMANDS] = {
	cli_run,
	cli_status,
	cli_why,
	cli_transitions,
	cli_drain,
	cli_force_up,
	cli_force_down,
	cli_release,
	cli_freeze,
	cli_maintenance_add,
	cli_maintenance_list,
	cli_maintenance_end,
	cli_zone_import,
	cli_zone_export,
	cli_zone_list,
	cli_zone_delegation,
	cli_backup,
	cli_restore,
	cli_store_check,
	cli_store_repair,
	cli_token_create,
	cli_token_list,
	cli_token_revoke,
	cli_nameserver_enrol,
	cli_nameserver_list,
	cli_nameserver_revoke,
	cli_nameserver_adopt,
	cli_agent_enrol,
	cli_agent_list,
	cli_agent_revoke,
	cli_demo_run,
	cli_demo_stop,
	cli_demo_start,
	cli_demo_seed,
	cli_demo_site,
};

static int help(void)
{
	struct buf out;
	buf_init(&out, 65536);
	buf_puts(&out, "veer: DNS-based global failover\n\nUsage: veer COMMAND [options]\n\nCommands:\n");
	args_commands_help(commands, COMMANDS - HIDDEN, &out);
	buf_puts(&out, "\nEach command explains itself: veer COMMAND --help\n");
	(void)fputs(out.data, stdout);
	buf_deinit(&out);
	return CLI_OK;
}

int main(int argc, char *argv[])
{
	struct veer_diag diag = {""};
	size_t index = 0;
	int next = 0;
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		(void)printf("veer %s\n", VEER_VERSION);
		return CLI_OK;
	}
	if (args_select(commands, COMMANDS, argc, argv, 1, &index, &next, &diag) != VEER_OK) {
		(void)fprintf(stderr, "veer: %s\n", diag.text);
		return CLI_USAGE;
	}
	return functions[index](argc, argv, next);
}
