/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Own hotkeys of guests that are not in the configuration. vfio-guestd, which has
 * adopted them, says what they are. One stays until its guest is removed or gets into
 * the configuration, which then decides, and is dropped when a new configuration
 * gives the same hotkey to another. */

struct manager;

/* Sets it; n 0: none. -ENOENT: no such guest; -EBUSY: it is in the configuration;
 * -EINVAL, and a message owned by the caller: no hotkey, or one that is taken. */
int guest_hotkey_set(struct manager *m, const char *guest, const char *const *keys, unsigned n, char **ret_error);

/* Sets QEMU's own hotkey for its nodes, whose two keys are never down together
 * there, until the guest is removed: how its QEMU really is, whatever the
 * configuration says. -ENOENT; -EINVAL: no such pair. */
int guest_hotkey_set_grab_toggle(struct manager *m, const char *guest, const char *grab_toggle);

/* There is a new configuration: drops those that it has elsewhere. */
void guest_hotkeys_check(struct manager *m);
