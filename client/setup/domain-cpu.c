/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The guest's processor as it is on the host: as many cores and threads as it
 * gets, each of its CPUs pinned to one of them, and QEMU's own threads to what
 * the host keeps. */

#include <stdio.h>

#include "client/setup/domain-part.h"

#define IOTHREADS_MAX 1024U

static bool set_number(xmlNode *n, const char *attribute, unsigned value)
{
        char text[16];

        (void) snprintf(text, sizeof(text), "%u", value);
        return xml_set(n, attribute, text);
}

static unsigned long number_in(const xmlNode *n, const char *attribute)
{
        _autofree_ char *text = attribute ? xml_get(n, attribute) : xml_text(n);

        return text ? strtoul(text, NULL, 10) : 0;
}

/* --- how many, and of which kind ---------------------------------------------------------- */

/* Other parts of the definition speak of single CPUs: then their number is the person's to change. */
static bool number_is_fixed(const xmlNode *domain)
{
        return xml_child(domain, "vcpus") || xml_child(xml_child(domain, "cpu"), "numa");
}

static bool want_number(xmlNode *domain, unsigned n)
{
        xmlNode *vcpu = xml_child(domain, "vcpu");
        bool changed = !vcpu;
        char text[16];

        if (!vcpu) {
                vcpu = domain_part(domain, "vcpu");
                (void) xml_set(vcpu, "placement", "static");
        }
        (void) snprintf(text, sizeof(text), "%u", n);
        changed |= number_in(vcpu, NULL) != n && xml_set_text(vcpu, text);
        return xml_set(vcpu, "current", NULL) || changed;
}

/* A model of its own, and what is said of how to match it, mean nothing any more. */
static bool want_mode(xmlNode *cpu, const char *mode)
{
        bool changed = xml_set(cpu, "mode", mode);

        changed |= xml_set(cpu, "match", NULL);
        if (changed && xml_has(cpu, "check", "full"))
                (void) xml_set(cpu, "check", "none");
        XML_FOR_EACH(n, cpu, "model") {
                xml_remove(n);
                changed = true;
        }
        XML_FOR_EACH(n, cpu, "vendor") {
                xml_remove(n);
                changed = true;
        }
        return changed;
}

static bool want_topology(xmlNode *cpu, const struct cpu_proposal *p)
{
        static const char *const order[] = { "model", "vendor", "topology", "cache", "maxphysaddr", "feature", "numa",
                                             NULL };
        xmlNode *topology = xml_child(cpu, "topology");
        _autofree_ char *clusters = xml_get(topology, "clusters");
        bool changed = !topology;

        topology = topology ?: xml_add_in_order(cpu, "topology", order);
        changed |= set_number(topology, "sockets", 1);
        changed |= set_number(topology, "dies", 1);
        if (clusters)
                changed |= set_number(topology, "clusters", 1);
        changed |= set_number(topology, "cores", p->cores);
        return set_number(topology, "threads", p->threads) || changed;
}

/* Without it QEMU does not tell an AMD guest that its cores have threads. */
static bool want_topoext(xmlNode *cpu)
{
        xmlNode *feature;

        XML_FOR_EACH(n, cpu, "feature")
                if (xml_has(n, "name", "topoext"))
                        return !xml_has(n, "policy", "force") && xml_set(n, "policy", "require");
        feature = xml_add(cpu, "feature");
        (void) xml_set(feature, "policy", "require");
        (void) xml_set(feature, "name", "topoext");
        return true;
}

static void edit_processor(xmlNode *domain, const struct domain_edit *e, struct plan *notes)
{
        const struct cpu_proposal *p = e->cpus;
        bool kvm = domain_is_kvm(domain), changed;
        xmlNode *cpu;

        changed = want_number(domain, p->cores * p->threads);
        cpu = domain_part(domain, "cpu");
        changed |= want_mode(cpu, kvm ? "host-passthrough" : "maximum");
        changed |= want_topology(cpu, p);
        if (kvm && e->cpu->vendor == CPU_VENDOR_AMD && p->threads > 1)
                changed |= want_topoext(cpu);
        plan_note(notes, DOMAIN_STEP, changed ? PLAN_CHANGES : PLAN_DONE,
                  "the domain has %u core%s of %u thread%s, and the processor %s", p->cores, p->cores == 1 ? "" : "s",
                  p->threads, p->threads == 1 ? "" : "s", kvm ? "is the host's own" : "has all that QEMU can emulate");
}

/* --- pinning -------------------------------------------------------------------------------- */

/* The host's CPUs in the order of the guest's, in which the threads of a core
 * stand together. Returns how many. */
static unsigned guest_order(const struct domain_edit *e, unsigned ret[CPU_SET_MAX])
{
        unsigned n = 0;

        for (size_t i = 0; e->cpus->threads > 1 && i < e->cpu->n_cores; i++)
                for (unsigned cpu = 0; cpu < CPU_SET_MAX; cpu++)
                        if (cpu_set_has(&e->cpus->guest, cpu) && cpu_set_has(&e->cpu->cores[i].threads, cpu))
                                ret[n++] = cpu;
        for (unsigned cpu = 0; e->cpus->threads <= 1 && cpu < CPU_SET_MAX; cpu++)
                if (cpu_set_has(&e->cpus->guest, cpu))
                        ret[n++] = cpu;
        return n;
}

static bool has_cpus(const xmlNode *n, const char *attribute, const struct cpu_set *wanted)
{
        _autofree_ char *text = xml_get(n, attribute);
        struct cpu_set actual;

        return text && cpu_set_parse(text, &actual) == 0 && memcmp(&actual, wanted, sizeof(actual)) == 0;
}

static bool is_pinned(const xmlNode *cputune, const unsigned *order, unsigned n)
{
        unsigned found = 0;

        XML_FOR_EACH(pin, cputune, "vcpupin") {
                unsigned long vcpu = number_in(pin, "vcpu");
                struct cpu_set one = { .bits = { 0 } };

                if (vcpu >= n)
                        return false;
                cpu_set_add(&one, order[vcpu]);
                if (!has_cpus(pin, "cpuset", &one))
                        return false;
                found++;
        }
        return found == n;
}

static const char *const tunes[] = {
        "shares", "period", "quota", "global_period", "global_quota", "emulator_period", "emulator_quota",
        "iothread_period", "iothread_quota", "vcpupin", "emulatorpin", "iothreadpin", "vcpusched", "emulatorsched",
        "iothreadsched", "cachetune", "memorytune", NULL,
};

static bool pin_guest(xmlNode *cputune, const struct domain_edit *e)
{
        static unsigned order[CPU_SET_MAX];
        unsigned n = guest_order(e, order);

        if (is_pinned(cputune, order, n))
                return false;
        XML_FOR_EACH(pin, cputune, "vcpupin")
                xml_remove(pin);
        for (unsigned i = 0; i < n; i++) {
                xmlNode *pin = xml_add_in_order(cputune, "vcpupin", tunes);

                (void) set_number(pin, "vcpu", i);
                (void) set_number(pin, "cpuset", order[i]);
        }
        return true;
}

/* What else is said of CPUs of the guest that it has no longer: libvirt refuses that. */
static bool forget_above(xmlNode *cputune, const char *name, unsigned n)
{
        struct cpu_set there = { .bits = { 0 } };
        bool changed = false;

        for (unsigned i = 0; i < n; i++)
                cpu_set_add(&there, i);
        XML_FOR_EACH(tune, cputune, name) {
                _autofree_ char *text = xml_get(tune, "vcpus"), *left = NULL;
                struct cpu_set set;

                if (!text || cpu_set_parse(text, &set) < 0)
                        continue;
                cpu_set_intersect(&set, &there);
                left = cpu_set_format(&set);
                if (!*left)
                        xml_remove(tune);
                else if (has_cpus(tune, "vcpus", &set) || !xml_set(tune, "vcpus", left))
                        continue;
                changed = true;
        }
        return changed;
}

static bool set_cpuset(xmlNode *pin, const struct cpu_set *set)
{
        _autofree_ char *text = cpu_set_format(set);

        return !has_cpus(pin, "cpuset", set) && xml_set(pin, "cpuset", text);
}

/* id: of the thread of disks, 0: the emulator itself. */
static bool pin_other(xmlNode *cputune, const char *name, unsigned id, const struct cpu_set *host)
{
        xmlNode *pin;

        XML_FOR_EACH(n, cputune, name)
                if (id == 0 || number_in(n, "iothread") == id)
                        return set_cpuset(n, host);
        pin = xml_add_in_order(cputune, name, tunes);
        if (id > 0)
                (void) set_number(pin, "iothread", id);
        return set_cpuset(pin, host);
}

static bool is_listed(const xmlNode *domain, unsigned id)
{
        XML_FOR_EACH(n, xml_child(domain, "iothreadids"), "iothread")
                if (number_in(n, "id") == id)
                        return true;
        return false;
}

/* Those that are listed, and for the rest of their number libvirt counts up from 1. */
static bool pin_iothreads(xmlNode *domain, xmlNode *cputune, const struct cpu_set *host)
{
        unsigned long rest = MIN(number_in(xml_child(domain, "iothreads"), NULL), IOTHREADS_MAX);
        bool changed = false;

        XML_FOR_EACH(n, xml_child(domain, "iothreadids"), "iothread") {
                unsigned long id = number_in(n, "id");

                if (id == 0 || id > UINT32_MAX)
                        continue;
                changed |= pin_other(cputune, "iothreadpin", (unsigned) id, host);
                rest -= rest > 0;
        }
        for (unsigned id = 1; rest > 0 && id <= 2 * IOTHREADS_MAX; id++) {
                if (is_listed(domain, id))
                        continue;
                changed |= pin_other(cputune, "iothreadpin", id, host);
                rest--;
        }
        return changed;
}

/* Also where nothing is pinned: the pins of CPUs that are gone go, too. */
static bool forget_all_above(xmlNode *domain, unsigned n)
{
        static const char *const of_vcpus[] = { "vcpusched", "cachetune", "memorytune" };
        xmlNode *cputune = xml_child(domain, "cputune");
        bool changed = false;

        for (size_t i = 0; cputune && i < ARRAY_SIZE(of_vcpus); i++)
                changed |= forget_above(cputune, of_vcpus[i], n);
        XML_FOR_EACH(pin, cputune, "vcpupin") {
                if (number_in(pin, "vcpu") < n)
                        continue;
                xml_remove(pin);
                changed = true;
        }
        return changed;
}

static void edit_pinning(xmlNode *domain, const struct domain_edit *e, struct plan *notes)
{
        _autofree_ char *guest = cpu_set_format(&e->cpus->guest), *host = cpu_set_format(&e->cpus->host);
        bool changed = !xml_child(domain, "cputune");
        xmlNode *cputune = domain_part(domain, "cputune");

        changed |= pin_guest(cputune, e);
        changed |= pin_other(cputune, "emulatorpin", 0, &e->cpus->host);
        changed |= pin_iothreads(domain, cputune, &e->cpus->host);
        plan_note(notes, DOMAIN_STEP, changed ? PLAN_CHANGES : PLAN_DONE,
                  "the CPUs %s of the host are the guest's, one each%s; QEMU's other threads run on %s", guest,
                  e->cpus->one_cache ? ", behind one cache" : "", host);
}

void domain_edit_cpus(xmlNode *domain, const struct domain_edit *e, struct plan *notes)
{
        unsigned long now = number_in(xml_child(domain, "vcpu"), NULL);

        if (!e->cpus) {
                plan_note(notes, DOMAIN_STEP, PLAN_OPTIONAL,
                          "the processor of the domain is left as it is: --cpus=auto pins it to whole cores");
                return;
        }
        if (number_is_fixed(domain) && now != e->cpus->cores * e->cpus->threads) {
                plan_note(notes, DOMAIN_STEP, PLAN_BY_HAND,
                          "the domain's <vcpus> or <numa> speaks of %lu single CPUs, which %u cannot replace: change "
                          "their number with virsh edit, then pin them",
                          now, e->cpus->cores * e->cpus->threads);
                return;
        }
        if (forget_all_above(domain, e->cpus->cores * e->cpus->threads))
                plan_note(notes, DOMAIN_STEP, PLAN_CHANGES, "what the domain says of CPUs that it has no longer goes");
        edit_processor(domain, e, notes);
        if (e->pin)
                edit_pinning(domain, e, notes);
}
