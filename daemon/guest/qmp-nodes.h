/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The two input-linux objects in one QEMU.
 *
 * Whatever an earlier life of ours, or an attach that was cut short, has left
 * in QEMU is looked at first: what is right is kept, what is wrong is removed. */

#include "common/config.h"
#include "daemon/guest/qmp.h"
#include "daemon/guest/route.h"

struct qmp_nodes;

/* The request is done: error NULL, or what went wrong and was undone. */
typedef void (*qmp_nodes_fn)(const char *error, void *userdata);

/* For the guest's QEMU behind q (borrowed), which runs as uid. */
struct qmp_nodes *qmp_nodes_new(struct qmp *q, const char *guest, uid_t uid, enum grab_toggle grab_toggle,
                                qmp_nodes_fn done, void *userdata);
/* Gives the nodes back to root; QEMU is not asked for anything any more. */
struct qmp_nodes *qmp_nodes_free(struct qmp_nodes *n);

/* Makes QEMU read these nodes. Not while another request is under way. */
void qmp_nodes_attach(struct qmp_nodes *n, const struct route_nodes *nodes);
/* Makes QEMU let go of both. An attach that is under way ends, without a word. */
void qmp_nodes_detach(struct qmp_nodes *n);

/* Whether these very devices are attached. */
bool qmp_nodes_holds(const struct qmp_nodes *n, const struct route_nodes *nodes);
/* Whether a request is under way. */
bool qmp_nodes_is_busy(const struct qmp_nodes *n);
