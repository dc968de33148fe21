/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Checks of the way from keyboard to guest, as it is at this moment: what both
 * services say over the bus. */

#include "client/setup/doctor-bus.h"
#include "client/setup/doctor.h"
#include "client/setup/words.h"

/* --- vfio-inputd -------------------------------------------------------------------- */

static void check_daemon(const struct doctor *d, struct check *c)
{
        const struct doctor_bus *b = d->bus;

        if (!b) {
                check_set(c, CHECK_SKIP, DOCTOR_NOT_RUNNING);
        } else if (b->error) {
                check_set(c, CHECK_UNKNOWN, "the system bus cannot be asked: %s", b->error);
                check_fix(c, "sudo systemctl start dbus.socket");
        } else if (b->inputd_absent) {
                check_set(c, CHECK_FAIL, "vfio-inputd does not run");
                check_evidence(c, "nobody owns its name on the system bus");
                check_fix(c, "sudo systemctl start vfio-inputd.service");
                check_fix(c, "if it ends at once: journalctl -b -u vfio-inputd.service");
        } else if (!b->inputd) {
                check_set(c, CHECK_FAIL, "vfio-inputd gives no answer");
                check_evidence(c, "%s", b->inputd_error);
                check_fix(c, "sudo systemctl restart vfio-inputd.service");
        } else if (b->inputd->manager->manager.paused) {
                check_set(c, CHECK_WARN, "vfio-inputd is paused: all input stays with the host");
                check_fix(c, "vfioctl resume");
        } else {
                check_set(c, CHECK_OK, "vfio-inputd %s runs", b->inputd->manager->manager.version ?: "");
        }
}

/* What it says, or NULL, and the check is skipped: that it says nothing, input.daemon tells. */
static const struct state *inputd(const struct doctor *d, struct check *c)
{
        if (d->bus && d->bus->inputd)
                return d->bus->inputd;
        check_set(c, CHECK_SKIP, "%s", d->bus ? "vfio-inputd says nothing" : DOCTOR_NOT_RUNNING);
        return NULL;
}

/* Orders the states of a device by how bad they are. */
static unsigned gravity(const struct device *dev)
{
        static const char *const states[] = { "waiting", "busy", "failed" };

        for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
                if (streq_null(dev->state, states[i]))
                        return i + 1;
        return 0;
}

static const struct device *find_worst(const struct state *s)
{
        const struct device *worst = NULL;

        for (unsigned i = 0; i < s->n_objects; i++) {
                const struct device *dev = &s->objects[i]->device;

                if (s->objects[i]->kind == OBJECT_DEVICE && gravity(dev) > (worst ? gravity(worst) : 0))
                        worst = dev;
        }
        return worst;
}

static unsigned count_kind(const struct state *s, const char *kind)
{
        unsigned n = 0;

        for (unsigned i = 0; i < s->n_objects; i++)
                n += s->objects[i]->kind == OBJECT_DEVICE && streq_null(s->objects[i]->device.kind, kind);
        return n;
}

static void report_device(struct check *c, const struct device *dev)
{
        const char *name = dev->name ?: "", *node = dev->node ?: "";

        if (streq(dev->state, "waiting")) {
                check_set(c, CHECK_WARN, "%s (%s) is not grabbed yet", name, node);
                check_evidence(c, "a key or button of it is down");
                check_fix(c, "let go of all its keys and buttons");
        } else if (streq(dev->state, "busy")) {
                check_set(c, CHECK_FAIL, "%s (%s) is grabbed by another program", name, node);
                check_evidence(c, "only one program can have it for itself");
                check_fix(c, "sudo fuser -v %s: end that program, or leave the device out in /etc/vfio-inputd.conf",
                          node);
        } else {
                check_set(c, CHECK_FAIL, "%s (%s) cannot be grabbed", name, node);
                check_evidence(c, "journalctl -b -u vfio-inputd.service has the reason");
                check_fix(c, "unplug it and plug it in again, or: sudo systemctl restart vfio-inputd.service");
        }
}

static void check_grabs(const struct doctor *d, struct check *c)
{
        const struct state *s = inputd(d, c);
        const struct device *worst;

        if (!s)
                return;
        worst = find_worst(s);
        if (s->manager->manager.paused) {
                check_set(c, CHECK_SKIP, "vfio-inputd is paused");
        } else if (worst) {
                report_device(c, worst);
        } else if (count_kind(s, "keyboard") == 0) {
                check_set(c, CHECK_FAIL, "vfio-inputd has no keyboard");
                check_evidence(c, "of the devices it may take none is a keyboard that is plugged in");
                check_fix(c, "vfioctl devices shows them; see \"devices\" in vfio-inputd.conf(5)");
        } else if (count_kind(s, "mouse") == 0) {
                check_set(c, CHECK_WARN, "vfio-inputd has no mouse");
                check_fix(c, "vfioctl devices shows them; see \"devices\" in vfio-inputd.conf(5)");
        } else {
                check_set(c, CHECK_OK, "%u keyboards and %u mice are grabbed", count_kind(s, "keyboard"),
                          count_kind(s, "mouse"));
        }
}

static bool is_node(const struct doctor *d, const char *path)
{
        struct stat st;

        return root_stat(d->machine->root, path, &st) == 0 && S_ISCHR(st.st_mode);
}

/* True: the check is set. */
static bool report_nodes(const struct doctor *d, struct check *c, const struct target *t)
{
        const char *udev = "sudo udevadm control --reload && sudo udevadm trigger -s input";

        if (!t->nodes || !t->nodes[0]) {
                check_set(c, CHECK_FAIL, "guest %s has no nodes yet", t->name ?: "");
                check_evidence(c, "udev has not given them their permissions");
                check_fix(c, "%s", udev);
                return true;
        }
        for (char **node = t->nodes; *node; node++) {
                if (is_node(d, *node))
                        continue;
                check_set(c, CHECK_FAIL, "guest %s: %s does not lead to a device", t->name ?: "", *node);
                check_evidence(c, "udev makes that link by a rule of vfio-inputd");
                check_fix(c, "%s", udev);
                return true;
        }
        return false;
}

static void check_nodes(const struct doctor *d, struct check *c)
{
        const struct state *s = inputd(d, c);
        unsigned n = 0;

        for (unsigned i = 0; s && i < s->n_objects; i++) {
                const struct target *t = &s->objects[i]->target;

                if (s->objects[i]->kind != OBJECT_TARGET || !streq_null(t->kind, "guest"))
                        continue;
                n++;
                if (report_nodes(d, c, t))
                        return;
        }
        if (s && n == 0)
                check_set(c, CHECK_SKIP, "vfio-inputd has no guest");
        else if (s)
                check_set(c, CHECK_OK, "the nodes of %u guests are there", n);
}

/* --- guests --------------------------------------------------------------------------- */

static const char *fix_of_layer(const char *layer)
{
        if (streq(layer, "apparmor"))
                return "sudo apparmor_parser -r /etc/apparmor.d/libvirt/libvirt-UUID of it, then vfioctl attach GUEST";
        return "vfioctl detach GUEST, then vfioctl attach GUEST; if it stays shut: "
               "journalctl -b -u vfio-guestd.service";
}

/* True: the check is set. */
static bool report_guest(struct check *c, const struct guest *g)
{
        const struct layer *shut = layers_shut(g->layers);
        const char *name = g->name ?: "", *reason = g->reason ?: "", *state = g->state ?: "";

        if (shut) {
                check_set(c, CHECK_FAIL, "guest %s: the layer %s is shut", name, shut->name);
                check_evidence(c, "%s", shut->text);
                check_fix(c, "%s", fix_of_layer(shut->name));
        } else if (streq(state, "failed")) {
                check_set(c, CHECK_FAIL, "guest %s does not get its nodes: %s", name, reason);
                check_evidence(c, "route %s; journalctl -b -u vfio-guestd.service has more", g->route ?: "unknown");
                check_fix(c, "vfioctl attach %s", name);
        } else if (streq(state, "hung")) {
                check_set(c, CHECK_FAIL, "QEMU of guest %s does not answer", name);
                check_evidence(c, "%s", reason);
                check_fix(c, "wait for what it does (a snapshot, a slow disk), or start the guest anew");
        } else if (streq(state, "detached")) {
                check_set(c, CHECK_WARN, "guest %s was detached by hand", name);
                check_fix(c, "vfioctl attach %s", name);
        } else {
                return false;
        }
        return true;
}

/* "win10 ready, linux absent", owned by the caller. */
static char *list_guests(const struct state *s)
{
        _cleanup_(strv_freep) char **words = NULL;

        for (unsigned i = 0; i < s->n_objects; i++)
                if (s->objects[i]->kind == OBJECT_GUEST)
                        words_take(&words, xasprintf("%s %s", s->objects[i]->guest.name ?: "",
                                                     s->objects[i]->guest.state ?: ""));
        return words_join(words, ", ");
}

/* NULL, and the check is set. */
static const struct state *guestd(const struct doctor *d, struct check *c)
{
        if (d->bus && d->bus->guestd)
                return d->bus->guestd;
        if (!inputd(d, c))
                return NULL;
        check_set(c, CHECK_FAIL, d->bus->guestd_absent ? "vfio-guestd does not run: no guest gets its nodes"
                                                       : "vfio-guestd gives no answer");
        check_evidence(c, "%s", d->bus->guestd_error);
        check_fix(c, "sudo systemctl restart vfio-guestd.service");
        return NULL;
}

static void check_guests(const struct doctor *d, struct check *c)
{
        const struct state *s = guestd(d, c);
        _autofree_ char *all = NULL;
        const char *libvirt;

        for (unsigned i = 0; s && i < s->n_objects; i++)
                if (s->objects[i]->kind == OBJECT_GUEST && report_guest(c, &s->objects[i]->guest))
                        return;
        if (!s)
                return;
        all = list_guests(s);
        libvirt = s->manager->manager.libvirt ?: "connected";
        if (!streq(libvirt, "connected") && !streq(libvirt, "absent")) {
                check_set(c, CHECK_WARN, "vfio-guestd cannot reach libvirt: %s", libvirt);
                check_fix(c, "sudo systemctl restart libvirtd.service (or virtqemud.service)");
        } else if (!*all) {
                check_set(c, CHECK_WARN, "there is no guest");
                check_evidence(c, "neither /etc/vfio-inputd.conf nor a running domain names one");
                check_fix(c, "guests = ( { name = \"NAME\"; domain = \"DOMAIN\"; } ); in /etc/vfio-inputd.conf, then "
                             "vfioctl reload");
        } else {
                check_set(c, CHECK_OK, "%s", all);
        }
}

static void check_model(const struct doctor *d, struct check *c)
{
        const struct state *s = d->bus ? d->bus->guestd : NULL;

        for (unsigned i = 0; s && i < s->n_objects; i++) {
                const struct guest *g = &s->objects[i]->guest;

                if (s->objects[i]->kind != OBJECT_GUEST || !g->route_reason || !strstr(g->route_reason, "driver"))
                        continue;
                check_set(c, CHECK_WARN, "guest %s: %s", g->name ?: "", g->route_reason);
                check_evidence(c, "its nodes go by route %s until then", g->route && *g->route ? g->route : "unknown");
                check_fix(c, "Windows: install vioinput of the virtio-win ISO in the guest; Linux: modprobe virtio_input "
                             "there");
                return;
        }
        if (s && state_count(s, OBJECT_GUEST) > 0)
                check_set(c, CHECK_OK, "no guest misses a driver for its input");
        else
                check_set(c, CHECK_SKIP, "%s", d->bus ? "no guest is known" : DOCTOR_NOT_RUNNING);
}

const struct doctor_check doctor_bus_checks[] = {
        { "input.daemon", "vfio-inputd runs, answers and is not paused", check_daemon, DOCTOR_BUS },
        { "input.grabs", "it has keyboard and mouse for itself", check_grabs, DOCTOR_BUS },
        { "input.nodes", "the nodes of each guest are there", check_nodes, DOCTOR_BUS },
        { "input.guests", "each guest gets its nodes, through all layers", check_guests, DOCTOR_BUS },
        { "input.model", "no guest misses a driver for its input", check_model, DOCTOR_BUS },
        { NULL, NULL, NULL, 0 },
};
