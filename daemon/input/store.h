/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* systemd's file descriptor store: what is put there stays open while the
 * daemon is restarted, or has crashed, and comes back with the next start. We
 * keep our uinput descriptors in it, so that QEMU and the desktop never see
 * their devices go away. Outside systemd it holds nothing.
 * Source: sd_pid_notify_with_fds(3), FileDescriptorStoreMax= in systemd.service(5). */

struct store;

/* Takes what systemd kept for us. */
struct store *store_new(void);
/* Closes what nobody took. */
struct store *store_free(struct store *s);

/* The descriptor of that name, now owned by the caller; negative if there is
 * none. It stays in the store. */
int store_take(struct store *s, const char *name);
/* Name of some descriptor that nobody took yet, or NULL. Owned by the store. */
const char *store_peek(struct store *s, const char *prefix);

/* Puts a copy of fd into the store under name ([a-z0-9._-], without ':'). */
void store_put(const char *name, int fd);
void store_remove(const char *name);
