/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/guest/process.h"

/* The QEMU of a running domain of qemu:///system, pinned: by the pid file that
 * libvirt keeps of it (src/util/virpidfile.c; root's directory), and only if that
 * process has the domain's UUID in its command line. -ESRCH: it does not. */
int qemu_process_find(const char *domain, const char *uuid, struct process **ret);
