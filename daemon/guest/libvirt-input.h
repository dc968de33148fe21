/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Input devices that libvirt plugs into a running domain for us, known by their
 * aliases. Blocks. */

#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "common/config.h"

/* node: an enum guest_node. */
const char *libvirt_input_alias(unsigned node);
/* Plugs in a node of the host, as <input type='evdev'> or as virtio-input-host.
 * -EOPNOTSUPP if this libvirt cannot, -EIO; with what it says in *ret_error. */
int libvirt_input_attach(virDomainPtr domain, unsigned node, const char *path, bool virtio, enum grab_toggle toggle,
                         char **ret_error);
/* Unplugs it again; no error if it is not there. */
int libvirt_input_detach(virDomainPtr domain, unsigned node, const char *path, bool virtio, enum grab_toggle toggle,
                         char **ret_error);
