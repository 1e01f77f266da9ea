/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `veer-api restore`, `store-check` and `store-repair`: what is done to a store by hand. They say on standard output
 * what they have found. Each takes the command line after its name, and returns the exit code.
 *
 * Threads: one.
 */
#ifndef VEER_API_STORE_TOOLS_H
#define VEER_API_STORE_TOOLS_H

/* Put a backup in the store's place, while no veer-api runs. */
int store_tool_restore(int argc, char *argv[], int first);
/* Look at every page and object, also while veer-api runs. 1: it is damaged. */
int store_tool_check(int argc, char *argv[], int first);
/* Make a new store of what can be read of a damaged one, while no veer-api runs; what was there is kept. */
int store_tool_repair(int argc, char *argv[], int first);

#endif
