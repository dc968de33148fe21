/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/domain-edit.h"

#include <stdio.h>

#include "client/setup/domain-part.h"

#define METADATA_URI "urn:vfio-inputd:guest:1"

/* As libvirt writes them. */
static const char *const parts[] = {
        "name", "uuid", "genid", "title", "description", "metadata", "maxMemory", "memory", "currentMemory",
        "memoryBacking", "vcpu", "vcpus", "iothreads", "iothreadids", "blkiotune", "cputune", "memtune", "numatune",
        "resource", "sysinfo", "bootloader", "os", "idmap", "features", "cpu", "clock", "on_poweroff", "on_reboot",
        "on_crash", "on_lockfailure", "pm", "perf", "devices", "seclabel", NULL,
};

static const char *const devices[] = {
        "emulator", "disk", "controller", "lease", "filesystem", "interface", "smartcard", "serial", "parallel",
        "console", "channel", "input", "tpm", "graphics", "sound", "audio", "video", "hostdev", "redirdev",
        "redirfilter", "hub", "watchdog", "memballoon", "rng", "nvram", "panic", "shmem", "memory", "iommu", "vsock",
        NULL,
};

xmlNode *domain_part(xmlNode *domain, const char *name)
{
        return xml_child(domain, name) ?: xml_add_in_order(domain, name, parts);
}

xmlNode *domain_add_device(xmlNode *domain, const char *name)
{
        return xml_add_in_order(domain_part(domain, "devices"), name, devices);
}

bool domain_is_kvm(const xmlNode *domain)
{
        return xml_has(domain, "type", "kvm");
}

static int read_domain(const char *xml, xmlDoc **ret, xmlNode **ret_domain, char **ret_error)
{
        _autofree_ char *reason = NULL;
        int r = xml_parse(xml, ret, &reason);

        if (r < 0) {
                *ret_error = xasprintf("the definition of the domain cannot be read: %s", reason);
                return r;
        }
        *ret_domain = xmlDocGetRootElement(*ret);
        if (!*ret_domain || !xml_is(*ret_domain, "domain")) {
                *ret_error = xstrdup("the definition of the domain cannot be read: expected a <domain>");
                return -EINVAL;
        }
        return 0;
}

int domain_edit(const char *xml, const struct domain_edit *e, struct plan *notes, char **ret, char **ret_error)
{
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        xmlNode *domain;
        int r = read_domain(xml, &doc, &domain, ret_error);

        if (r < 0)
                return r;
        if (xml_has(domain, "type", "xen") || xml_has(domain, "type", "lxc")) {
                *ret_error = xstrdup("the domain is not one of QEMU, and cannot have what is set up here");
                return -EINVAL;
        }
        domain_edit_hostdevs(domain, e, notes);
        domain_edit_inputs(domain, e, notes);
        domain_edit_cpus(domain, e, notes);
        domain_hide_kvm(domain, e, notes);
        domain_remove_graphics(domain, e, notes);
        *ret = xml_format(doc);
        return 0;
}

char *domain_edit_node(const char *guest, const char *kind)
{
        return xasprintf("/dev/input/by-id/vfio-inputd-%s-event-%s", guest, kind);
}

/* --- facts ---------------------------------------------------------------------------- */

static void load_metadata(const xmlNode *domain, struct domain_facts *f)
{
        const xmlNode *metadata = xml_child(domain, "metadata");

        for (const xmlNode *n = metadata ? metadata->children : NULL; n; n = n->next) {
                _autofree_ char *toggle = NULL;

                if (n->type != XML_ELEMENT_NODE || !n->ns || !n->ns->href ||
                    !streq((const char *) n->ns->href, METADATA_URI) || !streq((const char *) n->name, "guest"))
                        continue;
                free(f->guest);
                f->guest = xml_get(n, "name");
                toggle = xml_get(n, "grab-toggle");
                f->grab_toggle = toggle ? grab_toggle_from_string(toggle) : GRAB_TOGGLE_INVALID;
        }
        if (f->guest && !target_name_is_valid(f->guest))
                free(TAKE_PTR(f->guest));
}

int domain_facts_load(const char *xml, struct domain_facts *ret, char **ret_error)
{
        _cleanup_(domain_facts_clear) struct domain_facts f = { .grab_toggle = GRAB_TOGGLE_INVALID };
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        xmlNode *domain;
        int r = read_domain(xml, &doc, &domain, ret_error);

        if (r < 0)
                return r;
        f.name = xml_text(xml_child(domain, "name"));
        f.uuid = xml_text(xml_child(domain, "uuid"));
        if (!f.name || !*f.name) {
                *ret_error = xstrdup("the definition of the domain has no name");
                return -EINVAL;
        }
        load_metadata(domain, &f);
        *ret = f;
        f = (struct domain_facts) { 0 };
        return 0;
}

void domain_facts_clear(struct domain_facts *f)
{
        free(f->name);
        free(f->uuid);
        free(f->guest);
        *f = (struct domain_facts) { 0 };
}
