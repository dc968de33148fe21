/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Hiding from the guest that it is one, which drivers of GeForce cards before
 * version 465 wanted ("Error 43"). */

#include "client/setup/domain-part.h"

/* What a processor would say there; QEMU takes twelve characters. */
static const char *vendor_of(const struct cpu *cpu)
{
        return cpu && cpu->vendor == CPU_VENDOR_AMD ? "AuthenticAMD" : "GenuineIntel";
}

static xmlNode *want(xmlNode *parent, const char *name)
{
        return xml_child(parent, name) ?: xml_add(parent, name);
}

static bool want_vendor_id(xmlNode *features, const struct cpu *cpu)
{
        xmlNode *hyperv = want(features, "hyperv"), *id = want(hyperv, "vendor_id");
        _autofree_ char *value = xml_get(id, "value");
        bool changed = xml_set(id, "state", "on");

        return (!value || !*value) ? xml_set(id, "value", vendor_of(cpu)) : changed;
}

void domain_hide_kvm(xmlNode *domain, const struct domain_edit *e, struct plan *notes)
{
        xmlNode *features = xml_child(domain, "features"), *kvm = xml_child(features, "kvm");
        bool hidden = xml_has(xml_child(kvm, "hidden"), "state", "on"), changed;

        if (!e->hide_kvm) {
                plan_note(notes, DOMAIN_STEP, hidden ? PLAN_DONE : PLAN_OPTIONAL, hidden ?
                          "the domain hides KVM from its guest" :
                          "KVM is not hidden from the guest, which only drivers of GeForce cards before 465 need: --hide-kvm");
                return;
        }
        if (!domain_is_kvm(domain)) {
                plan_note(notes, DOMAIN_STEP, PLAN_NOT_NEEDED, "there is no KVM to be hidden: the domain does not use it");
                return;
        }
        if (xml_has(xml_child(features, "hyperv"), "mode", "passthrough")) {
                plan_note(notes, DOMAIN_STEP, PLAN_BY_HAND,
                          "KVM is not hidden: <hyperv mode='passthrough'> of the domain tells the guest all of it; "
                          "virsh edit can change that to mode='custom'");
                return;
        }
        features = domain_part(domain, "features");
        changed = want_vendor_id(features, e->cpu);
        changed |= xml_set(want(want(features, "kvm"), "hidden"), "state", "on");
        plan_note(notes, DOMAIN_STEP, changed ? PLAN_CHANGES : PLAN_DONE,
                  "the guest does not see KVM, and sees a vendor of its own (--hide-kvm)");
}
