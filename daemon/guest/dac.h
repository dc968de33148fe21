/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The door of file ownership: makes one node of one guest accessible to the
 * one user whose QEMU is to open it, and takes that back.
 *
 * Only nodes of that very guest, known by the phys that vfio-inputd gave them,
 * are ever touched, whatever path is asked for. The ownership is also what a
 * later life of this daemon learns from which nodes were given to whom. */

#include <stdbool.h>
#include <sys/types.h>

/* Gives the node of a guest to a user; nobody else (but root) may open it then.
 * -ENODEV: that is no node of this guest. */
int dac_grant(const char *node, const char *guest, uid_t uid);
/* Whether dac_grant has already been done for this very device: false for one
 * that was created anew under the same path. Always false for root, who owns
 * every new node too. */
bool dac_is_granted(const char *node, const char *guest, uid_t uid);
/* Gives every node of the guest back to root. */
int dac_revoke(const char *guest);

/* Gives every guest's nodes back to root, but for guests that keep says yes to. */
typedef bool (*dac_keep_fn)(const char *guest, void *userdata);
int dac_revoke_all(dac_keep_fn keep, void *userdata);
