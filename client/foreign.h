/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The verbs that are a program of their own, vfioctl-setup, so that vfioctl
 * itself needs neither libvirt nor libxml2. */

#include "client/client.h"

/* Becomes that program, with the verb and all words behind it. Returns only if it cannot. */
enum outcome foreign_run(const char *verb, char **args);
