/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The process at the other end of a Unix socket, as the kernel vouches for it. */

#include <sys/types.h>

struct peer {
        pid_t pid; /* 0: not known here */
        uid_t uid;
};

/* Connects to the socket at path without waiting. A descriptor that the caller
 * owns, or a negative errno: -EAGAIN if too many others wait to be served. */
int peer_connect(const char *path, struct peer *ret);
/* The uid of a user, by name or number; -ESRCH if there is none. May ask the
 * network if the user database does. */
int peer_resolve_user(const char *user, uid_t *ret);
