/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of the definitions of domains. */

#include "client/setup/doctor-domains.h"
#include "client/setup/words.h"
#include "client/setup/xml-tree.h"

/* The check is set if this is true. */
typedef bool (*judge_fn)(const struct doctor *d, struct check *c, const char *name, const xmlNode *domain);

static void check_each(const struct doctor *d, struct check *c, judge_fn judge, const char *well)
{
        const struct doctor_domains *all = d->domains;
        size_t n = 0;

        for (size_t i = 0; i < all->n_items; i++) {
                _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
                _autofree_ char *error = NULL;

                if (d->wish->domain && !streq(d->wish->domain, all->items[i].name))
                        continue;
                if (xml_parse(all->items[i].xml, &doc, &error) < 0)
                        continue;
                n++;
                if (judge(d, c, all->items[i].name, xmlDocGetRootElement(doc)))
                        return;
        }
        check_set(c, n ? CHECK_OK : CHECK_SKIP, "%s", n ? well : "no domain to look at");
}

static void check_found(const struct doctor *d, struct check *c)
{
        _cleanup_(strv_freep) char **names = NULL;
        _autofree_ char *all = NULL;

        for (size_t i = 0; i < d->domains->n_items; i++)
                words_add(&names, d->domains->items[i].name);
        all = words_join(names, ", ");
        if (d->domains->error) {
                check_set(c, CHECK_UNKNOWN, "domains cannot be read: %s", d->domains->error);
                check_fix(c, "sudo vfioctl doctor");
        } else if (d->wish->domain && !words_have(names, d->wish->domain)) {
                check_set(c, CHECK_FAIL, "there is no domain %s", d->wish->domain);
                check_evidence(c, "domains: %s", *all ? all : "none");
                check_fix(c, "name one of them, or make it: sudo vfioctl setup apply --create=%s --medium=PATH",
                          d->wish->domain);
        } else {
                check_set(c, *all ? CHECK_OK : CHECK_SKIP, "%s", *all ? all : "libvirt has no domain");
        }
}

static bool judge_args(const struct doctor *d, struct check *c, const char *name, const xmlNode *domain)
{
        XML_FOR_EACH(arg, xml_child(domain, "commandline"), "arg") {
                _autofree_ char *value = xml_get(arg, "value");

                if (!value || !strstr(value, "input-linux"))
                        continue;
                check_set(c, CHECK_WARN, "domain %s hands a node to QEMU behind libvirt's back", name);
                check_evidence(c, "%s", value);
                check_fix(c, "sudo vfioctl setup apply --domain=%s", name);
                return true;
        }
        return false;
}

static bool judge_node(const struct doctor *d, struct check *c, const char *name, const char *node, char ***seen)
{
        _autofree_ char *file = NULL;
        struct stat st;

        if (root_stat(d->machine->root, node, &st) < 0) {
                check_set(c, CHECK_FAIL, "domain %s names %s, which is not there: it cannot start", name, node);
                check_fix(c, startswith(node, "/dev/input/by-id/vfio-inputd-")
                                     ? "name the guest in /etc/vfio-inputd.conf, then vfioctl reload: its nodes are made then"
                                     : "plug the device in, or: sudo vfioctl setup apply --domain=NAME");
                return true;
        }
        file = xasprintf("%ju:%ju", (uintmax_t) st.st_dev, (uintmax_t) st.st_ino);
        if (words_have(*seen, file)) {
                check_set(c, CHECK_FAIL, "domain %s names the same device twice, the second time as %s", name, node);
                check_evidence(c, "two links in by-id may lead to one node, and QEMU can grab it once");
                check_fix(c, "take one of them out: virsh edit %s", name);
                return true;
        }
        words_add(seen, file);
        if (!startswith(node, "/dev/input/event"))
                return false;
        check_set(c, CHECK_WARN, "domain %s names %s, another device after the next boot", name, node);
        check_fix(c, "sudo vfioctl setup apply --domain=%s", name);
        return true;
}

static bool judge_nodes(const struct doctor *d, struct check *c, const char *name, const xmlNode *domain)
{
        _cleanup_(strv_freep) char **seen = NULL;

        XML_FOR_EACH(input, xml_child(domain, "devices"), "input") {
                _autofree_ char *node = xml_get(xml_child(input, "source"),
                                                xml_has(input, "type", "evdev") ? "dev" : "evdev");

                if (node && judge_node(d, c, name, node, &seen))
                        return true;
        }
        return false;
}

static bool judge_pinning(const struct doctor *d, struct check *c, const char *name, const xmlNode *domain)
{
        const struct cpu *cpu = &d->machine->cpu;
        struct cpu_set pinned = { 0 };

        XML_FOR_EACH(pin, xml_child(domain, "cputune"), "vcpupin") {
                _autofree_ char *text = xml_get(pin, "cpuset");
                struct cpu_set set;

                if (text && cpu_set_parse(text, &set) == 0)
                        cpu_set_unite(&pinned, &set);
        }
        for (size_t i = 0; i < cpu->n_cores; i++) {
                struct cpu_set part = cpu->cores[i].threads;
                _autofree_ char *threads = cpu_set_format(&part);

                cpu_set_intersect(&part, &pinned);
                if (cpu_set_count(&part) == 0 || cpu_set_count(&part) == cpu->cores[i].n_threads)
                        continue;
                check_set(c, CHECK_WARN, "domain %s shares the core of CPUs %s with the host", name, threads);
                check_evidence(c, "it is pinned to some threads of that core and not to the others");
                check_fix(c, "sudo vfioctl setup apply --domain=%s --cpus=auto", name);
                return true;
        }
        return false;
}

static void check_args(const struct doctor *d, struct check *c)
{
        check_each(d, c, judge_args, "libvirt knows all input nodes of its domains");
}

static void check_nodes(const struct doctor *d, struct check *c)
{
        if (d->machine->kernels.cmdline)
                check_each(d, c, judge_nodes, "each node that a domain names is there");
        else
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
}

static void check_pinning(const struct doctor *d, struct check *c)
{
        check_each(d, c, judge_pinning, "no domain shares a core with the host");
}

const struct doctor_check doctor_domain_checks[] = {
        { "domain.found", "the definitions of domains can be read", check_found, DOCTOR_DOMAINS },
        { "domain.qemu-args", "no domain hands nodes to QEMU behind libvirt's back", check_args, DOCTOR_DOMAINS },
        { "domain.evdev-node", "each node that a domain names is there, once", check_nodes, DOCTOR_DOMAINS },
        { "cpu.siblings-split", "no domain shares a core with the host", check_pinning, DOCTOR_DOMAINS },
        { NULL, NULL, NULL, 0 },
};
