/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/pci.h"

#include <ctype.h>
#include <stdio.h>

#include "client/setup/pci-modules.h"
#include "client/setup/root-disk.h"

#define DEVICES "/sys/bus/pci/devices"

static void device_clear(struct pci_device *d)
{
        free(d->driver);
        free(d->overridden);
        (void) strv_free(d->modules);
}

void pci_clear(struct pci *p)
{
        for (size_t i = 0; i < p->n_devices; i++)
                device_clear(&p->devices[i]);
        free(p->devices);
        *p = (struct pci) { 0 };
}

/* --- addresses -------------------------------------------------------------------- */

static size_t hex_digits(const char *s)
{
        size_t n = 0;

        while (isxdigit((unsigned char) s[n]))
                n++;
        return n;
}

/* DDDD:BB:SS.F; the domains behind Intel's VMD have more digits. */
static bool is_address(const char *s, size_t length)
{
        size_t domain = hex_digits(s);

        return domain >= 4 && domain <= 8 && length == domain + 8 && s[domain] == ':' &&
               hex_digits(s + domain + 1) == 2 && s[domain + 3] == ':' && hex_digits(s + domain + 4) == 2 &&
               s[domain + 6] == '.' && s[domain + 7] >= '0' && s[domain + 7] <= '7';
}

bool pci_address_in_path(const char *path, char ret[PCI_ADDRESS_MAX])
{
        bool found = false;

        for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
                size_t length = strcspn(path, "/");

                if (is_address(path, length)) {
                        (void) snprintf(ret, PCI_ADDRESS_MAX, "%.*s", (int) length, path);
                        found = true;
                }
                path += length;
        }
        return found;
}

/* --- one function ----------------------------------------------------------------- */

static uint32_t read_number(const struct root *r, const char *address, const char *name, uint32_t otherwise)
{
        _autofree_ char *path = xasprintf(DEVICES "/%s/%s", address, name), *line = NULL;
        char *end;
        unsigned long n;

        if (root_read_line(r, path, &line) < 0)
                return otherwise;
        n = strtoul(line, &end, 0);
        return end == line || *end ? otherwise : (uint32_t) n;
}

/* The last part of where a link points, owned by the caller; NULL: no link. */
static char *read_link(const struct root *r, const char *address, const char *name)
{
        _autofree_ char *path = xasprintf(DEVICES "/%s/%s", address, name), *target = NULL;
        const char *slash;

        if (root_readlink(r, path, &target) < 0)
                return NULL;
        slash = strrchr(target, '/');
        return xstrdup(slash ? slash + 1 : target);
}

static char *read_override(const struct root *r, const char *address)
{
        _autofree_ char *path = xasprintf(DEVICES "/%s/driver_override", address), *line = NULL;

        if (root_read_line(r, path, &line) < 0 || !*line || streq(line, "(null)"))
                return NULL;
        return TAKE_PTR(line);
}

static void device_load(const struct root *r, const char *address, struct pci_device *d)
{
        _autofree_ char *group = read_link(r, address, "iommu_group");

        (void) snprintf(d->address, sizeof(d->address), "%s", address);
        d->class = read_number(r, address, "class", 0);
        d->vendor = (uint16_t) read_number(r, address, "vendor", 0);
        d->device = (uint16_t) read_number(r, address, "device", 0);
        d->boot_vga = read_number(r, address, "boot_vga", 0) == 1;
        d->group = group && isdigit((unsigned char) *group) ? atoi(group) : -1;
        d->driver = read_link(r, address, "driver");
        d->overridden = read_override(r, address);
}

/* --- screens ---------------------------------------------------------------------- */

static void mark_connected(struct pci *p, const char *path)
{
        char address[PCI_ADDRESS_MAX];

        if (!pci_address_in_path(path, address))
                return;
        for (size_t i = 0; i < p->n_devices; i++)
                if (streq(p->devices[i].address, address))
                        p->devices[i].connected = true;
}

/* Connectors are card0-HDMI-A-1 and so on; each is a link into its device's folder. */
static int load_connectors(const struct root *r, struct pci *p)
{
        _cleanup_(strv_freep) char **names = NULL;
        int e = root_list(r, "/sys/class/drm", &names);

        if (e < 0)
                return e == -ENOENT ? 0 : e;
        for (char **name = names; *name; name++) {
                _autofree_ char *status = xasprintf("/sys/class/drm/%s/status", *name);
                _autofree_ char *link = xasprintf("/sys/class/drm/%s", *name);
                _autofree_ char *line = NULL, *target = NULL;

                if (root_read_line(r, status, &line) < 0 || !streq(line, "connected"))
                        continue;
                if (root_readlink(r, link, &target) == 0)
                        mark_connected(p, target);
        }
        return 0;
}

/* --- all of them ------------------------------------------------------------------ */

static void load_devices(const struct root *r, char *const *names, struct pci *p)
{
        p->known = true;
        for (; *names; names++) {
                if (!is_address(*names, strlen(*names)))
                        continue;
                p->devices = xreallocarray(p->devices, p->n_devices + 1, sizeof(*p->devices));
                p->devices[p->n_devices] = (struct pci_device) { .group = -1 };
                device_load(r, *names, &p->devices[p->n_devices++]);
        }
}

int pci_load(const struct root *r, const char *modules_of, struct pci *ret)
{
        _cleanup_(strv_freep) char **names = NULL;
        _cleanup_(pci_clear) struct pci p = { 0 };
        int e = root_list(r, DEVICES, &names);

        if (e == -ENOENT) {
                *ret = (struct pci) { 0 };
                return 0;
        }
        if (e < 0)
                return e;
        load_devices(r, names, &p);
        e = load_connectors(r, &p);
        if (e < 0)
                return e;
        e = root_disk_mark(r, &p);
        if (e < 0)
                return e;
        if (modules_of)
                pci_modules_load(r, modules_of, &p);
        *ret = p;
        p = (struct pci) { 0 };
        return 0;
}

/* --- questions -------------------------------------------------------------------- */

bool pci_is_gpu(const struct pci_device *d)
{
        return d->class >> 16 == 0x03;
}

bool pci_is_bridge(const struct pci_device *d)
{
        return d->class >> 8 == 0x0600 || d->class >> 8 == 0x0604;
}

bool pci_same_slot(const struct pci_device *a, const struct pci_device *b)
{
        size_t slot = strcspn(a->address, ".");

        return slot == strcspn(b->address, ".") && strncmp(a->address, b->address, slot) == 0;
}

bool pci_drives_display(const struct pci_device *d)
{
        return d->boot_vga || d->connected;
}

const struct pci_device *pci_find(const struct pci *p, const char *address)
{
        _autofree_ char *full = xasprintf("0000:%s", address);

        for (size_t i = 0; i < p->n_devices; i++)
                if (!strcasecmp(p->devices[i].address, address) || !strcasecmp(p->devices[i].address, full))
                        return &p->devices[i];
        return NULL;
}

static const struct pci_device *after(const struct pci *p, const struct pci_device *d)
{
        if (!d)
                return p->n_devices ? p->devices : NULL;
        return d + 1 < p->devices + p->n_devices ? d + 1 : NULL;
}

const struct pci_device *pci_next_gpu(const struct pci *p, const struct pci_device *previous)
{
        const struct pci_device *d = after(p, previous);

        while (d && !pci_is_gpu(d))
                d = after(p, d);
        return d;
}

const struct pci_device *pci_next_companion(const struct pci *p, const struct pci_device *of,
                                            const struct pci_device *previous)
{
        const struct pci_device *d = after(p, previous);

        while (d && (d == of || !pci_same_slot(d, of)))
                d = after(p, d);
        return d;
}

const struct pci_device *pci_next_twin(const struct pci *p, const struct pci_device *of,
                                       const struct pci_device *previous)
{
        const struct pci_device *d = after(p, previous);

        while (d && (d->vendor != of->vendor || d->device != of->device || pci_same_slot(d, of)))
                d = after(p, d);
        return d;
}
