/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The definition of a new domain, from an installation medium. Pure; what
 * domain-edit.h adds to any domain is not in it. */

#include "client/setup/root.h"

enum medium {
        MEDIUM_NONE,
        MEDIUM_CDROM,  /* an ISO 9660 image */
        MEDIUM_FLOPPY, /* a boot sector, with or without the rest of a floppy disk */
        MEDIUM_DISK,   /* larger than that: the image of a USB stick */
};

/* By what is in the file. -EINVAL with a sentence in *ret_error (owned by the
 * caller) if nothing can be booted from it, or another errno. */
int domain_medium_detect(const struct root *r, const char *path, enum medium *ret, char **ret_error);

struct domain_create {
        const char *name;
        bool kvm; /* or QEMU's own processor */
        bool efi, tpm, network; /* network: libvirt's "default" */
        unsigned memory_mib;
        const char *disk;
        const char *disk_format; /* "qcow2", "raw" */
        enum medium kind;
        const char *medium; /* NULL with MEDIUM_NONE */
};

/* Owned by the caller. */
char *domain_create(const struct domain_create *c);
/* Half of what the host has, in whole GiB if there is so much, 16 GiB at most:
 * with a device passed through, all of it is taken from the host as long as the guest runs. */
unsigned domain_default_memory(unsigned total_mib);
