/* SPDX-License-Identifier: Apache-2.0 */
/* veer: the command that people use. Picks the command by its first words. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/cli/cli.h"
#include "base/buf.h"

static const struct args_command commands[] = {
	{"run", "run the whole service on this host, from one configuration file", cli_run},
	{"status", "show sites, endpoints, agents and name servers", cli_status},
	{"why", "explain how an endpoint stands, and its last change in milliseconds", cli_why},
	{"transitions", "show the latest changes of verdicts", cli_transitions},
	{"drain", "take endpoints out of the answers", cli_drain},
	{"force up", "take endpoints as up, whatever the agents say", cli_force_up},
	{"force down", "take endpoints as down, whatever the agents say", cli_force_down},
	{"release", "end what was said with drain or force", cli_release},
	{"freeze", "stop all changes of verdicts (--off: go on)", cli_freeze},
	{"maintenance add", "plan a drain", cli_maintenance_add},
	{"maintenance list", "show what is planned", cli_maintenance_list},
	{"maintenance end", "end a window, or forget one", cli_maintenance_end},
	{"zone import", "load a zone file into the service", cli_zone_import},
	{"zone export", "print a zone as a zone file", cli_zone_export},
	{"zone list", "list the zones", cli_zone_list},
	{"zone delegation", "compare what the parent zone says about a zone with what the zone says",
	 cli_zone_delegation},
	{"backup", "write the whole store into one file", cli_backup},
	{"restore", "put a backup in the store's place, while veer-api does not run", cli_restore},
	{"store check", "look whether the store is damaged", cli_store_check},
	{"store repair", "make a new store of what can be read of a damaged one", cli_store_repair},
	{"token create", "make a token for the REST API", cli_token_create},
	{"token list", "list the tokens", cli_token_list},
	{"token revoke", "end a token", cli_token_revoke},
	{"nameserver enrol", "announce a name server and print its one-use token", cli_nameserver_enrol},
	{"nameserver list", "list the name servers that were enrolled", cli_nameserver_list},
	{"nameserver revoke", "end a name server's credential", cli_nameserver_revoke},
	{"nameserver adopt", "have a name server follow this store, which it keeps in quarantine",
	 cli_nameserver_adopt},
	{"agent enrol", "announce a probe agent and print its one-use token", cli_agent_enrol},
	{"agent list", "list the probe agents that were enrolled", cli_agent_list},
	{"agent revoke", "end a probe agent's credential", cli_agent_revoke},
	{"demo run", "run the demonstration (what `make run` does)", cli_demo_run},
	{"demo stop", "end the server of one demonstration site", cli_demo_stop},
	{"demo start", "start it again", cli_demo_start},
	{"demo seed", "fill the demonstration (started by demo run)", cli_demo_seed},
	{"demo site", "serve one demonstration site (started by demo run)", cli_demo_site},
};
enum { COMMANDS = sizeof commands / sizeof commands[0], HIDDEN = 2 };

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
	return commands[index].run(argc, argv, next);
}
