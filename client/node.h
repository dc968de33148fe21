/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A node's path as the daemons want it: absolute, but otherwise as it was given
 * (it may be that of a domain, or of a device that has gone). Owned by the caller. */
char *node_absolute(const char *path);
