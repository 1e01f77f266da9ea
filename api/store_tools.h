/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `veer-api restore`, `store-check` and `store-repair`: work on a store by hand. They report on standard output what
 * they have found. Each takes the command line after its name, and returns the exit code.
 *
 * Threads: one.
 */
#ifndef VEER_API_STORE_TOOLS_H
#define VEER_API_STORE_TOOLS_H

/* Replace the store by a backup, while no veer-api runs. */
int store_tool_restore(int argc, char *argv[], int first);
/* Check every page and object, also while veer-api runs. 1: the store is damaged. */
int store_tool_check(int argc, char *argv[], int first);
/* Make a new store from what can be read of a damaged one, while no veer-api runs; the damaged one is kept. */
int store_tool_repair(int argc, char *argv[], int first);

#endif
