/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* QEMU's monitor by way of libvirt, which owns it. Taints the domain
 * ("custom-monitor"), takes its job lock, and waits for QEMU as long as it takes:
 * not for the main thread. */

#include <json-c/json.h>
#include <libvirt/libvirt.h>

/* One command with arguments (taken; NULL: none). 0 with *ret (owned by the
 * caller, or NULL if nobody wants it); -EREMOTEIO if QEMU refuses, -EIO if libvirt
 * does, both with what they say in *ret_error, owned by the caller. */
int monitor_call(virDomainPtr domain, const char *command, struct json_object *arguments, struct json_object **ret,
                 char **ret_error);
