/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The grants (grant.h) that users have asked for: one input node for one running
 * domain each. Ends a grant when its QEMU or its device is gone, and in the
 * beginning looks through what an earlier life has left: what a user has been
 * given stays, the rest is closed.
 *
 * The nodes that vfio-inputd makes for guests are not here, but with the
 * guest's route. */

#include <systemd/sd-event.h>

#include "daemon/guest/domains.h"
#include "daemon/guest/grant.h"

struct grants;

struct grants_handler {
        void (*changed)(void *userdata);
};

/* records: the directory, made if it is missing; must stay valid. */
int grants_new(sd_event *event, const char *records, const struct grants_handler *handler, void *userdata,
               struct grants **ret);
struct grants *grants_free(struct grants *g);
DEFINE_CLEANUP(struct grants *, grants_free);

/* The grant of that number with what is known of its layers, both borrowed;
 * false if there are not so many. */
bool grants_at(const struct grants *g, unsigned i, const struct grant **ret, const struct layers **ret_layers);

/* Grants the node; calls done once, at once or later. error is 0, or negative
 * with text, a sentence. */
typedef void (*grants_done_fn)(int error, const char *text, void *userdata);
void grants_request(struct grants *g, const struct domain *d, const struct input_node *node, grants_done_fn done,
                    void *userdata);
/* node: the host's path (which may be gone), or grant_path. domain: name or UUID.
 * -ENOENT: there is no such grant; -EBUSY: one is being made, maybe this. */
int grants_revoke(struct grants *g, const char *domain, const char *node);
/* Of all grants the layers. */
void grants_check(struct grants *g);
/* An input device of the host is gone. */
void grants_node_gone(struct grants *g);
