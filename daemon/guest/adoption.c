/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/adoption.h"

#include <fnmatch.h>
#include <stdio.h>
#include <strings.h>

#define NUMBER_MAX 9999U

/* Names. */

/* The names of all sections belong to them, whether their guests are there or not. */
static bool name_is_free(const struct config *c, const char *name, adoption_taken_fn taken, void *userdata)
{
        return !config_find_guest(c, name) && !taken(name, userdata);
}

/* wanted, or what of it fits with the first number that makes it free. */
static bool find_name(const struct config *c, const char *wanted, adoption_taken_fn taken, void *userdata,
                      char ret[TARGET_NAME_MAX + 1])
{
        memcpy(ret, wanted, strlen(wanted) + 1);
        for (unsigned i = 2; !name_is_free(c, ret, taken, userdata); i++) {
                char number[16];
                int length = snprintf(number, sizeof(number), "-%u", i);

                if (i > NUMBER_MAX)
                        return false;
                (void) snprintf(ret, TARGET_NAME_MAX + 1, "%.*s%s", TARGET_NAME_MAX - length, wanted, number);
        }
        return true;
}

/* Sections. */

static const struct guest_config *find_by_domain(const struct config *c, const struct domain_xml *d)
{
        for (unsigned i = 0; i < c->n_guests; i++) {
                const char *domain = c->guests[i].domain;

                if (domain && (streq(domain, d->name) || strcasecmp(domain, d->uuid) == 0))
                        return &c->guests[i];
        }
        return NULL;
}

static const struct guest_config *find_by_name(const struct config *c, const char *name)
{
        const struct guest_config *g = config_find_guest(c, name);

        return g && !g->domain && !g->qmp ? g : NULL;
}

/* The section that is about the domain, or NULL. One whose guest is another
 * domain already ("Win" and "win" are two) is about that one. */
static const struct guest_config *find_section(const struct config *c, const struct domain_xml *d,
                                               adoption_taken_fn taken, void *userdata)
{
        const struct guest_config *section = find_by_domain(c, d);
        char name[TARGET_NAME_MAX + 1];

        target_name_make(d->name, name);
        section = section ?: find_by_name(c, d->name) ?: find_by_name(c, name);
        if (!section && d->metadata.set_name)
                section = find_by_name(c, d->metadata.guest.name);
        return section && !taken(section->name, userdata) ? section : NULL;
}

/* The rule. */

static bool matches(char *const *patterns, unsigned n, const struct domain_xml *d)
{
        for (unsigned i = 0; i < n; i++)
                if (fnmatch(patterns[i], d->name, 0) == 0 || fnmatch(patterns[i], d->uuid, FNM_CASEFOLD) == 0)
                        return true;
        return false;
}

/* Why the rule does not make it a guest, or NULL if it does. */
static const char *rule_refusal(const struct libvirt_config *l, const struct domain_xml *d)
{
        if (!d->is_kvm_or_qemu)
                return "it is not a QEMU domain";
        if (matches(l->ignore, l->n_ignore, d))
                return "libvirt.ignore matches it";
        if (l->n_only > 0 && !matches(l->only, l->n_only, d))
                return "libvirt.only does not match it";
        switch (l->adopt) {
        case ADOPT_ALL:
                return NULL;
        case ADOPT_HOSTDEV:
                return d->has_pci_hostdev ? NULL : "no PCI device is passed through to it";
        case ADOPT_NONE:
        case ADOPT_MAX_:
        case ADOPT_INVALID:
                break;
        }
        return "libvirt.adopt is \"none\"";
}

static const char *refusal(const struct config *c, const struct domain_xml *d)
{
        switch (d->metadata.adopt) {
        case DOMAIN_ADOPT_YES:
                return NULL;
        case DOMAIN_ADOPT_NO:
                return "its metadata says adopt='no'";
        case DOMAIN_ADOPT_BY_RULE:
                break;
        }
        return rule_refusal(&c->libvirt, d);
}

/* Settings. */

static bool hotkey_is_used(const struct config *c, const struct hotkey *h)
{
        bool used = hotkey_equal(h, &c->toggle) || hotkey_equal(h, &c->next) || hotkey_equal(h, &c->host);

        for (unsigned i = 0; i < c->n_guests; i++)
                used |= hotkey_equal(h, &c->guests[i].toggle);
        return h->n_keys > 0 && used;
}

/* Returns what was left out, or NULL. */
static const char *take_toggle(struct guest_config *g, const struct config *c, const struct domain_xml *d)
{
        const struct hotkey *toggle = &d->metadata.guest.toggle;

        if (g->toggle.n_keys > 0 || !d->metadata.set_toggle)
                return NULL;
        if (hotkey_is_used(c, toggle))
                return "the hotkey of its domain's metadata is one of the configuration too; left out";
        g->toggle = *toggle;
        return NULL;
}

/* Takes from the metadata what g has the default of; with a section not the
 * hotkey, which vfio-inputd takes from there. */
static const char *take_metadata(struct guest_config *g, const struct config *c, const struct domain_xml *d,
                                 bool has_section)
{
        const struct domain_metadata *m = &d->metadata;
        struct guest_config defaults;

        guest_config_init(&defaults);
        if (m->set_route && g->route == defaults.route)
                g->route = m->guest.route;
        if (m->set_grab_toggle && g->grab_toggle == defaults.grab_toggle)
                g->grab_toggle = m->guest.grab_toggle;
        if (m->set_focus_on_start && g->focus_on_start == defaults.focus_on_start)
                g->focus_on_start = m->guest.focus_on_start;
        if (m->set_timeout_ms && g->timeout_ms == defaults.timeout_ms)
                g->timeout_ms = m->guest.timeout_ms;
        return has_section ? NULL : take_toggle(g, c, d);
}

static bool decide_without_section(const struct config *c, const struct domain_xml *d, adoption_taken_fn taken,
                                   void *userdata, struct guest_config *ret, const char **ret_reason)
{
        char wanted[TARGET_NAME_MAX + 1];

        *ret_reason = refusal(c, d);
        if (*ret_reason)
                return false;
        if (d->metadata.set_name)
                memcpy(wanted, d->metadata.guest.name, sizeof(wanted));
        else
                target_name_make(d->name, wanted);
        guest_config_init(ret);
        if (!find_name(c, wanted, taken, userdata, ret->name)) {
                *ret_reason = "there is no name left for it";
                return false;
        }
        return true;
}

bool adoption_decide(const struct config *c, const struct domain_xml *d, adoption_taken_fn taken, void *userdata,
                     struct guest_config *ret, const char **ret_reason)
{
        const struct guest_config *section = find_section(c, d, taken, userdata);

        if (section)
                guest_config_copy(ret, section);
        else if (!decide_without_section(c, d, taken, userdata, ret, ret_reason))
                return false;
        if (!ret->domain)
                ret->domain = xstrdup(d->name);
        *ret_reason = take_metadata(ret, c, d, section);
        return true;
}
