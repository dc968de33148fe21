/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the route through libvirt (libvirt-route.h) has done on its worker. */

#include <libvirt/libvirt.h>

#include "daemon/guest/attachment.h"
#include "daemon/guest/worker.h"

struct libvirt_route;

struct libvirt_job {
        struct job job;
        struct libvirt_route *route; /* only for done */
        int id; /* of the run */
        virDomainPtr domain; /* referenced, or NULL */
        char *name, *uuid; /* owned */
        struct process *process; /* owned, or NULL */
        struct route_nodes nodes;
        enum route_choice choice;
        enum grab_toggle grab_toggle;
        const char *records;
        char *refused; /* owned; see attachment.h */
        struct attachment *attachment; /* owned; of detach and check, and the result of attach */
        /* results */
        struct layers layers;
        int result;
        char *error; /* owned, or NULL */
};

/* The rest is for the caller to fill in. */
struct libvirt_job *libvirt_job_new(void (*work)(struct job *job), void (*done)(struct mail *mail),
                                    virDomainPtr domain);
/* Closes the doors of an attachment that is still there: nobody else can. */
struct libvirt_job *libvirt_job_free(struct libvirt_job *j);
DEFINE_CLEANUP(struct libvirt_job *, libvirt_job_free);
struct libvirt_job *libvirt_job_of(struct mail *mail);

/* The work. Finds the domain's QEMU: process. */
void libvirt_job_find(struct job *job);
/* Attaches the nodes, after undoing an attachment of others: attachment, layers, error. */
void libvirt_job_attach(struct job *job);
void libvirt_job_detach(struct job *job);
/* Looks at the layers. */
void libvirt_job_check(struct job *job);
/* Asks QEMU's main loop something that changes nothing; with virtio also looks for
 * the guest's driver: error says that there is none. */
void libvirt_job_ping(struct job *job);

/* Whatever doors are open are closed, QEMU is not asked. Takes a, or NULL. */
void libvirt_job_close_doors(struct attachment *a);
