/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waits for a socket to appear at a path, of which not even the directories
 * need to exist yet. */

#include <systemd/sd-event.h>

#include "common/mem.h"

struct socket_watch;

/* Something has appeared at the path. Must not free the watch. */
typedef void (*socket_watch_fn)(void *userdata);

/* Calls fn each time something appears at path, an absolute one, after this
 * has returned. What was there before is for the caller to try: now, not
 * earlier, lest it slips in between. */
int socket_watch_new(sd_event *event, const char *path, socket_watch_fn fn, void *userdata,
                     struct socket_watch **ret);
struct socket_watch *socket_watch_free(struct socket_watch *w);
DEFINE_CLEANUP(struct socket_watch *, socket_watch_free);
