/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How the QEMU of one libvirt domain comes by a guest's nodes, best first:
 *
 *   static  the domain's own XML names them: libvirt opened all doors when it
 *           started, and there is nothing to do
 *   attach  libvirt's hot-attach of <input type='evdev'> (since 11; 9.0 refuses)
 *   grant   our own grant (grant.h), and QMP object-add behind libvirt's back
 *   virtio  libvirt's hot-attach of virtio-input-host: only if asked for, since
 *           the guest needs a driver
 *
 * All of this blocks, in libvirt and QEMU. An attachment is used by one thread
 * at a time. */

#include <libvirt/libvirt.h>

#include "common/config.h"
#include "daemon/guest/grant.h"
#include "daemon/guest/route.h"

enum way {
        WAY_STATIC,
        WAY_ATTACH,
        WAY_GRANT,
        WAY_VIRTIO,
        WAY_MAX_,
};

/* As on the bus. */
const char *way_to_string(enum way way);

/* What an attachment is to be made of; all borrowed. */
struct attachment_plan {
        virDomainPtr domain;
        const char *uuid, *name; /* the domain's */
        const struct process *process; /* its QEMU */
        const char *records; /* the directory, see grant.h */
        const struct route_nodes *nodes;
        enum route_choice choice;
        enum grab_toggle grab_toggle;
        const char *refused; /* what this libvirt has said of a hot-attach that it cannot do; or NULL: not known */
};

struct attachment {
        enum way way;
        enum grab_toggle grab_toggle; /* QEMU's own hotkey; GRAB_TOGGLE_INVALID: one that we cannot keep from firing */
        char *why; /* why not by a better one, a sentence; "" */
        struct input_node nodes[GUEST_NODE_MAX_];
        char *refused; /* owned; as in the plan, found out this time; or NULL */
        struct grant *grants[GUEST_NODE_MAX_]; /* owned; NULL but for WAY_GRANT */
};

/* Negative with *ret_error, owned by the caller; nothing is left attached then.
 * layers says how the layers are if the grant was tried (else all unknown). What
 * an earlier life has attached is taken over if it is right, and undone if not. */
int attachment_make(const struct attachment_plan *plan, struct layers *layers, struct attachment **ret,
                    char **ret_error);
/* Takes the nodes away from QEMU. Whatever happens a is freed; negative with
 * *ret_error if QEMU may still have them. domain NULL: QEMU has ended. */
int attachment_undo(struct attachment *a, virDomainPtr domain, char **ret_error);
/* Looks at the layers of a grant; of the two nodes the one that is worse off counts. */
void attachment_check(struct attachment *a, struct layers *layers);
/* For a guest behind virtio: whether its driver is at work. Negative with *ret_error. */
int attachment_check_driver(virDomainPtr domain, char **ret_error);
/* Forgets it and leaves all as it is. */
struct attachment *attachment_free(struct attachment *a);
DEFINE_CLEANUP(struct attachment *, attachment_free);
