/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The functions of the GPU as <hostdev>s. Where they stand in the guest libvirt
 * chooses: each on a port of its own, which drivers take as well as one slot. */

#include <stdio.h>

#include "client/setup/domain-part.h"

/* "0x0a" or "10", as both are allowed. False: it is neither. */
static bool read_number(const xmlNode *n, const char *attribute, unsigned long max, unsigned long *ret)
{
        _autofree_ char *text = xml_get(n, attribute);
        char *end = NULL;

        *ret = 0;
        if (!text)
                return streq(attribute, "domain");
        *ret = strtoul(text, &end, 0);
        return *text && !*end && *ret <= max;
}

static bool hostdev_address(const xmlNode *hostdev, char ret[PCI_ADDRESS_MAX])
{
        const xmlNode *address = xml_child(xml_child(hostdev, "source"), "address");
        unsigned long domain, bus, slot, function;

        if (!address || !xml_has(hostdev, "type", "pci"))
                return false;
        if (!read_number(address, "domain", 0xffffffff, &domain) || !read_number(address, "bus", 0xff, &bus) ||
            !read_number(address, "slot", 0x1f, &slot) || !read_number(address, "function", 7, &function))
                return false;
        (void) snprintf(ret, PCI_ADDRESS_MAX, "%04lx:%02lx:%02lx.%lx", domain, bus, slot, function);
        return true;
}

static xmlNode *find(const xmlNode *domain, const char *address)
{
        XML_FOR_EACH(n, xml_child(domain, "devices"), "hostdev") {
                char own[PCI_ADDRESS_MAX];

                if (hostdev_address(n, own) && streq(own, address))
                        return n;
        }
        return NULL;
}

bool domain_has_gpu(const xmlNode *domain, const struct pci *pci)
{
        XML_FOR_EACH(n, xml_child(domain, "devices"), "hostdev") {
                const struct pci_device *d;
                char own[PCI_ADDRESS_MAX];

                d = hostdev_address(n, own) && pci ? pci_find(pci, own) : NULL;
                if (d && pci_is_gpu(d))
                        return true;
        }
        return false;
}

static void set_part(xmlNode *address, const char *attribute, int digits, unsigned value)
{
        char text[16];

        (void) snprintf(text, sizeof(text), "0x%0*x", digits, value);
        (void) xml_set(address, attribute, text);
}

static void add(xmlNode *domain, const char *text)
{
        unsigned domain_number = 0, bus = 0, slot = 0, function = 0;
        xmlNode *hostdev, *address;

        if (sscanf(text, "%x:%x:%x.%x", &domain_number, &bus, &slot, &function) != 4)
                return;
        hostdev = domain_add_device(domain, "hostdev");
        (void) xml_set(hostdev, "mode", "subsystem");
        (void) xml_set(hostdev, "type", "pci");
        (void) xml_set(hostdev, "managed", "yes");
        address = xml_add(xml_add(hostdev, "source"), "address");
        set_part(address, "domain", 4, domain_number);
        set_part(address, "bus", 2, bus);
        set_part(address, "slot", 2, slot);
        set_part(address, "function", 1, function);
}

void domain_edit_hostdevs(xmlNode *domain, const struct domain_edit *e, struct plan *notes)
{
        for (size_t i = 0; e->gpus && e->gpus[i]; i++) {
                const char *address = e->gpus[i]->address;
                xmlNode *n = find(domain, address);

                if (!n) {
                        add(domain, address);
                        plan_note(notes, DOMAIN_STEP, PLAN_CHANGES, "%s is passed through to the domain", address);
                } else if (e->managed && xml_set(n, "managed", "yes")) {
                        plan_note(notes, DOMAIN_STEP, PLAN_CHANGES,
                                  "%s is passed through already, and now libvirt takes it from the host's driver",
                                  address);
                } else {
                        plan_note(notes, DOMAIN_STEP, PLAN_DONE, "%s is passed through to the domain already",
                                  address);
                }
        }
        if (e->gpus && e->gpus[0])
                return;
        if (domain_has_gpu(domain, e->pci))
                plan_note(notes, DOMAIN_STEP, PLAN_DONE, "a GPU is passed through to the domain already, and none is added");
        else
                plan_note(notes, DOMAIN_STEP, PLAN_OPTIONAL,
                          "no GPU is passed through to the domain: --gpu=ADDRESS chooses one");
}
