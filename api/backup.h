/* SPDX-License-Identifier: Apache-2.0 */
/* veer-api restore: what puts a backup in the store's place, while no veer-api runs. */
#ifndef VEER_API_BACKUP_H
#define VEER_API_BACKUP_H

/* The command line after `veer-api restore`; returns the exit code. Says on standard output what is lost. */
int backup_restore(int argc, char *argv[], int first);

#endif
