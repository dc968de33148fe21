/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/root-disk.h"

#include <stdio.h>

#include "client/setup/words.h"

/* Disk under mapper under RAID under mapper: more is a loop. */
#define DEPTH_MAX 8

/* The source of the file system that is on top at /, owned by the caller. */
static char *root_source(const char *mountinfo)
{
        _cleanup_(strv_freep) char **lines = words_split(mountinfo, "\n");
        char *source = NULL;

        for (char **line = lines; *line; line++) {
                _cleanup_(strv_freep) char **words = words_split(*line, " ");
                const char *behind = strstr(*line, " - ");
                _cleanup_(strv_freep) char **tail = words_split(behind ? behind + 3 : "", " ");

                if (words_count(words) < 5 || !streq(words[4], "/") || words_count(tail) < 2)
                        continue;
                free(source);
                /* btrfs and others have a device number of their own: only the name leads on. */
                source = startswith(words[2], "0:") ? xstrdup(tail[1])
                                                    : xasprintf("/sys/dev/block/%s", words[2]);
        }
        return source;
}

static const char *last_part(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* The kernel's name of the disk or partition, owned by the caller; NULL: no block device. */
static char *block_name(const struct root *r, const char *source)
{
        _autofree_ char *target = NULL;

        if (!startswith(source, "/dev/") && !startswith(source, "/sys/dev/block/"))
                return NULL;
        if (root_readlink(r, source, &target) < 0)
                return startswith(source, "/dev/") ? xstrdup(last_part(source)) : NULL;
        return xstrdup(last_part(target));
}

static bool mark_path(struct pci *p, const char *path)
{
        char address[PCI_ADDRESS_MAX];

        if (!pci_address_in_path(path, address))
                return false;
        for (size_t i = 0; i < p->n_devices; i++)
                if (streq(p->devices[i].address, address))
                        p->devices[i].root_disk = true;
        return true;
}

static bool mark_block(const struct root *r, struct pci *p, const char *name, unsigned depth);

/* What a mapper or RAID device is made of. */
static bool mark_slaves(const struct root *r, struct pci *p, const char *name, unsigned depth)
{
        _autofree_ char *path = xasprintf("/sys/class/block/%s/slaves", name);
        _cleanup_(strv_freep) char **slaves = NULL;
        bool found = false;

        if (depth == 0 || root_list(r, path, &slaves) < 0)
                return false;
        for (char **slave = slaves; *slave; slave++)
                found |= mark_block(r, p, *slave, depth - 1);
        return found;
}

/* A namespace with multipath belongs to a virtual subsystem, which links to its controllers. */
static bool mark_nvme(const struct root *r, struct pci *p, const char *path)
{
        static const char folder[] = "/nvme-subsystem/";
        const char *subsystem = strstr(path, folder);
        _cleanup_(strv_freep) char **names = NULL;
        _autofree_ char *of = NULL;
        bool found = false;

        if (!subsystem)
                return false;
        subsystem += strlen(folder);
        of = xasprintf("/sys/class/nvme-subsystem/%.*s", (int) strcspn(subsystem, "/"), subsystem);
        if (root_list(r, of, &names) < 0)
                return false;
        for (char **name = names; *name; name++) {
                _autofree_ char *link = xasprintf("%s/%s", of, *name), *target = NULL;

                if (startswith(*name, "nvme") && root_readlink(r, link, &target) == 0)
                        found |= mark_path(p, target);
        }
        return found;
}

/* The disk that a partition is of: the part before the last of its path. */
static char *whole_disk(const char *path)
{
        const char *last = last_part(path);
        _autofree_ char *before = xasprintf("%.*s", (int) MAX(0, last - path - 1), path);

        return xstrdup(last_part(before));
}

static bool mark_block(const struct root *r, struct pci *p, const char *name, unsigned depth)
{
        _autofree_ char *link = xasprintf("/sys/class/block/%s", name), *path = NULL, *whole = NULL;

        if (root_readlink(r, link, &path) < 0)
                return false;
        if (mark_path(p, path) || mark_nvme(r, p, path) || mark_slaves(r, p, name, depth))
                return true;
        whole = whole_disk(path);
        return mark_slaves(r, p, whole, depth);
}

/* All disks of the btrfs of which the one named is a part. */
static bool mark_btrfs(const struct root *r, struct pci *p, const char *name)
{
        _cleanup_(strv_freep) char **systems = NULL;
        bool found = false;

        if (root_list(r, "/sys/fs/btrfs", &systems) < 0)
                return false;
        for (char **system = systems; *system; system++) {
                _autofree_ char *path = xasprintf("/sys/fs/btrfs/%s/devices", *system);
                _cleanup_(strv_freep) char **names = NULL;

                if (root_list(r, path, &names) < 0 || !words_have(names, name))
                        continue;
                for (char **other = names; *other; other++)
                        found |= mark_block(r, p, *other, DEPTH_MAX);
        }
        return found;
}

int root_disk_mark(const struct root *r, struct pci *p)
{
        _autofree_ char *mountinfo = NULL, *source = NULL, *name = NULL;
        int e = root_read(r, "/proc/self/mountinfo", &mountinfo, NULL);

        if (e < 0)
                return e == -ENOENT ? 0 : e;
        source = root_source(mountinfo);
        name = source ? block_name(r, source) : NULL;
        if (!name)
                return 0;
        p->root_disk_known = mark_block(r, p, name, DEPTH_MAX);
        p->root_disk_known |= mark_btrfs(r, p, name);
        return 0;
}
