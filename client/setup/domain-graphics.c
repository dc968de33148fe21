/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a guide takes out at its end: the emulated screen with all that belongs
 * to it. Without a GPU and our input the guest would be out of reach, and then
 * it stays. */

#include "client/setup/domain-part.h"

/* A channel, console or serial port that ends in a SPICE client. */
static bool is_of_spice(const xmlNode *n)
{
        return xml_has(n, "type", "spicevmc") || xml_has(n, "type", "spiceport") || xml_has(n, "type", "qemu-vdagent");
}

static bool is_graphics(const xmlNode *n)
{
        static const char *const always[] = { "graphics", "redirdev", "redirfilter" };
        static const char *const if_spice[] = { "channel", "smartcard", "serial", "parallel", "console" };

        for (size_t i = 0; i < ARRAY_SIZE(always); i++)
                if (xml_is(n, always[i]))
                        return true;
        for (size_t i = 0; i < ARRAY_SIZE(if_spice); i++)
                if (xml_is(n, if_spice[i]))
                        return is_of_spice(n);
        if (xml_is(n, "input"))
                return xml_has(n, "type", "tablet");
        return xml_is(n, "video") && !xml_has(xml_child(n, "model"), "type", "none");
}

/* Of sound only where it goes: the sound card stays. */
static bool silence(xmlNode *n)
{
        if (!xml_is(n, "audio") || !xml_has(n, "type", "spice"))
                return false;
        return xml_set(n, "type", "none");
}

static bool remove_all(xmlNode *devices)
{
        bool changed = false;

        for (xmlNode *n = devices->children, *next; n; n = next) {
                for (next = n->next; next && next->type != XML_ELEMENT_NODE; next = next->next)
                        ;
                changed |= silence(n);
                if (!is_graphics(n))
                        continue;
                xml_remove(n);
                changed = true;
        }
        return changed;
}

static bool has_any(const xmlNode *devices)
{
        for (const xmlNode *n = devices ? devices->children : NULL; n; n = n->next)
                if (is_graphics(n))
                        return true;
        return false;
}

void domain_remove_graphics(xmlNode *domain, const struct domain_edit *e, struct plan *notes)
{
        xmlNode *devices = xml_child(domain, "devices");
        bool gpu = domain_has_gpu(domain, e->pci), input = domain_has_our_input(domain);

        if (!has_any(devices)) {
                plan_note(notes, DOMAIN_STEP, PLAN_DONE, "the domain has no emulated screen");
                return;
        }
        if (!e->remove_graphics) {
                plan_note(notes, DOMAIN_STEP, PLAN_OPTIONAL,
                          "the domain keeps its emulated screen and tablet, which help until the driver of its GPU works: "
                          "--graphics=remove takes them out");
                return;
        }
        if (!gpu || !input) {
                plan_note(notes, DOMAIN_STEP, PLAN_NOT_NEEDED,
                          "the domain keeps its emulated screen in spite of --graphics=remove: it has no %s, and nobody "
                          "could see or use it without",
                          !gpu ? "GPU" : "input of ours");
                return;
        }
        (void) remove_all(devices);
        plan_note(notes, DOMAIN_STEP, PLAN_CHANGES,
                  "the emulated screen, the tablet and all of SPICE leave the domain: its GPU's own screen is left");
}
