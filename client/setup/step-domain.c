/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The domain: one that is there is edited, a new one is made, and its guest is
 * put into vfio-inputd's configuration, so that the nodes are there before
 * libvirt starts it. Only definitions are changed. */

#include "client/setup/domain-new.h"
#include "client/setup/domain-part.h"
#include "client/setup/guests-config.h"
#include "client/setup/program.h"

#define CONFIG SYSCONFDIR "/vfio-inputd.conf"

/* What is known of the domain while it is planned. */
struct subject {
        struct domain_store *store;
        char *before, *base; /* the definition now, NULL: none; and that which is edited */
        struct domain_facts facts;
        bool is_new;
};

static void subject_clear(struct subject *d)
{
        (void) domain_store_free(d->store);
        free(d->before);
        free(d->base);
        domain_facts_clear(&d->facts);
}

/* --- the definition now ------------------------------------------------------------------------ */

static int fail_read(const struct setup *s, int e, char *reason, char **ret_error)
{
        if (e != -ENOENT) {
                *ret_error = xasprintf("the domain %s cannot be read: %s", s->choices->domain, reason ? reason : strerror(-e));
                free(reason);
                return e;
        }
        *ret_error = reason;
        return -EINVAL;
}

static int load(const struct setup *s, struct plan *p, struct subject *d, char **ret_error)
{
        const struct choices *c = s->choices;
        char *reason = NULL;
        int e = domain_store_read(d->store, c->domain, &d->before, &reason);

        if (e == -ENOENT && c->create) {
                free(reason);
                d->is_new = true;
                e = domain_new(s, d->store, p, &d->base, ret_error);
                return e < 0 ? e : domain_facts_load(d->base, &d->facts, ret_error);
        }
        if (e < 0)
                return fail_read(s, e, reason, ret_error);
        if (c->create)
                plan_note(p, DOMAIN_STEP, PLAN_DONE, "the domain %s is there already, and edited instead of made anew",
                          c->domain);
        d->base = xstrdup(d->before);
        return domain_facts_load(d->base, &d->facts, ret_error);
}

/* --- the guest in our configuration ------------------------------------------------------------ */

static void plan_reload(const struct root *r, struct plan *p)
{
        if (!root_is_live(r))
                return;
        /* Does nothing while the service does not run. */
        plan_add_command(p, DOMAIN_STEP,
                         program_command("systemctl", "try-reload-or-restart", "vfio-inputd.service", NULL),
                         "vfio-inputd makes the nodes of the guest");
}

static int plan_guest(const struct setup *s, struct plan *p, const struct domain_facts *f, struct guest_config *ret,
                      char **ret_error)
{
        const struct root *r = s->machine->root;
        _autofree_ char *folder = xasprintf("%s" SYSCONFDIR, root_path(r)), *text = NULL, *after = NULL;
        int e = plan_content(p, r, CONFIG, &text);

        if (e < 0 && e != -ENOENT) {
                *ret_error = xasprintf(CONFIG ": %s", strerror(-e));
                return e;
        }
        e = guests_config_add(text, folder, f->name, f->uuid, f->guest ? f->guest : f->name, &after, ret, ret_error);
        if (e < 0)
                return e;
        if (e == 0) {
                plan_note(p, DOMAIN_STEP, PLAN_DONE, "the guest %s of the domain is in " CONFIG, ret->name);
                return 0;
        }
        e = plan_set_file(p, r, DOMAIN_STEP, CONFIG, after, 0644, VALIDATE_NONE,
                          "the guest's nodes must be there before its domain starts");
        if (e < 0) {
                *ret_error = xasprintf(CONFIG ": %s", strerror(-e));
                return e;
        }
        plan_note(p, DOMAIN_STEP, PLAN_CHANGES, "the domain %s becomes the guest %s in " CONFIG, f->name, ret->name);
        plan_reload(r, p);
        return 0;
}

/* As vfio-guestd does: what the configuration leaves at its default is the domain's metadata's to say. */
static enum grab_toggle toggle_of(const struct guest_config *g, const struct domain_facts *f)
{
        struct guest_config defaults;

        guest_config_init(&defaults);
        if (f->grab_toggle >= 0 && g->grab_toggle == defaults.grab_toggle)
                return f->grab_toggle;
        return g->grab_toggle;
}

/* --- the definition then ------------------------------------------------------------------------- */

static int edit(const struct setup *s, struct plan *p, const struct subject *d, const struct guest_config *g, char **ret,
                char **ret_error)
{
        const struct choices *c = s->choices;
        struct cpu_proposal cpus;
        struct domain_edit e = {
                .gpus = (const struct pci_device *const *) s->gpus,
                .pci = &s->machine->pci,
                .managed = c->bind == BIND_MANAGED,
                .guest = c->no_input ? NULL : g->name,
                .grab_toggle = toggle_of(g, &d->facts),
                .cpu = &s->machine->cpu,
                .cpus = c->cpus || d->is_new ? &cpus : NULL,
                .pin = c->cpus != NULL,
                .hide_kvm = c->hide_kvm,
                .remove_graphics = c->graphics == GRAPHICS_REMOVE,
                .cleanup = c->cleanup,
        };
        int r = e.cpus ? domain_new_cpus(s, &cpus, ret_error) : 0;

        return r < 0 ? r : domain_edit(d->base, &e, p, ret, ret_error);
}

static int gate_running(const struct setup *s, struct plan *p, const struct subject *d, char **ret_error)
{
        int running = domain_store_is_running(d->store, d->facts.name, ret_error);

        if (running > 0)
                plan_gate(p, s->choices, "running-domain",
                          "the domain %s is running. Only its definition is changed: the running machine goes on as it is, "
                          "and has the change when it has been shut down and started again (restarting inside of it is not "
                          "enough)",
                          d->facts.name);
        return MIN(running, 0);
}

static int plan_definition(const struct setup *s, struct plan *p, const struct subject *d, const char *after,
                           char **ret_error)
{
        if (d->before && streq(d->before, after))
                return 0;
        if (d->before && domain_store_is_read_only(d->store)) {
                struct plan_note *note =
                        plan_note(p, DOMAIN_STEP, PLAN_BY_HAND,
                                  "libvirt shows the domain %s without its passwords here, and defining it again would lose "
                                  "them: what is said of its definition is not planned; make the plan as root",
                                  d->facts.name);

                words_take(&note->lines, xasprintf("sudo vfioctl setup --domain='%s'", d->facts.name));
                return 0;
        }
        plan_add_domain(p, DOMAIN_STEP, d->facts.name, d->before, after,
                        d->is_new ? "a new domain, from the installation medium" :
                                    "what the guest needs, for its next start");
        return d->before ? gate_running(s, p, d, ret_error) : 0;
}

static int plan_domain(const struct setup *s, struct plan *p, struct subject *d, char **ret_error)
{
        _autofree_ char *after = NULL;
        struct guest_config g;
        int e = load(s, p, d, ret_error);

        if (e < 0)
                return e;
        guest_config_init(&g);
        if (!s->choices->no_input)
                e = plan_guest(s, p, &d->facts, &g, ret_error);
        if (e == 0)
                e = edit(s, p, d, &g, &after, ret_error);
        guest_config_clear(&g);
        return e < 0 ? e : plan_definition(s, p, d, after, ret_error);
}

int step_domain_plan(const struct setup *s, struct plan *p, char **ret_error)
{
        _cleanup_(subject_clear) struct subject d = { .is_new = false };
        const struct choices *c = s->choices;
        _autofree_ char *reason = NULL;

        if (!c->domain) {
                plan_note(p, DOMAIN_STEP, PLAN_OPTIONAL,
                          "no domain is edited or made: --domain=NAME, or --create=NAME --medium=PATH");
                return 0;
        }
        /* The libvirt that runs is not that of the root. */
        if (!root_is_live(s->machine->root) && !c->connect) {
                plan_note(p, DOMAIN_STEP, PLAN_BY_HAND,
                          "the domain %s is libvirt's, which must run to be asked: do this when %s is started", c->domain,
                          root_path(s->machine->root));
                return 0;
        }
        if (domain_store_open(c->connect, &d.store, &reason) < 0) {
                plan_note(p, DOMAIN_STEP, PLAN_BY_HAND,
                          "nothing is planned for the domain %s, as libvirt cannot be asked (%s): when it runs, make the plan "
                          "once more",
                          c->domain, reason ? reason : "no reason given");
                return 0;
        }
        return plan_domain(s, p, &d, ret_error);
}
