/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A guest's nodes as <input type='evdev'>, and the virtio keyboard and mouse,
 * which carry more and which QEMU feeds instead of PS/2 once the guest's driver
 * is there. With the typed element libvirt opens all doors to the nodes itself;
 * what a guide has instead, "-object input-linux" behind libvirt's back, needs
 * four of them opened by hand. */

#include "client/setup/domain-part.h"

#define QEMU_URI "http://libvirt.org/schemas/domain/qemu/1.0"
#define OUR_NODES "/dev/input/by-id/vfio-inputd-"

/* --- what is there ---------------------------------------------------------------------- */

static char *node_of(const xmlNode *input)
{
        const xmlNode *source = xml_child(input, "source");

        if (xml_has(input, "type", "evdev"))
                return xml_get(source, "dev");
        return xml_has(input, "type", "passthrough") ? xml_get(source, "evdev") : NULL;
}

static bool has_our_passthrough(const xmlNode *domain)
{
        XML_FOR_EACH(n, xml_child(domain, "devices"), "input") {
                _autofree_ char *node = node_of(n);

                if (node && startswith(node, OUR_NODES) && xml_has(n, "type", "passthrough"))
                        return true;
        }
        return false;
}

bool domain_has_our_input(const xmlNode *domain)
{
        XML_FOR_EACH(n, xml_child(domain, "devices"), "input") {
                _autofree_ char *node = node_of(n);

                if (node && startswith(node, OUR_NODES))
                        return true;
        }
        return false;
}

/* --- our nodes ------------------------------------------------------------------------------ */

static bool set_keyboard(xmlNode *source, enum grab_toggle toggle)
{
        bool changed = xml_set(source, "grab", "all");

        changed |= xml_set(source, "grabToggle", grab_toggle_to_string(toggle));
        return xml_set(source, "repeat", "on") || changed;
}

/* Whether something had to be done for it. toggle: NULL for the mouse, which follows the keyboard. */
static bool want_node(xmlNode *domain, const char *path, const enum grab_toggle *toggle)
{
        xmlNode *source;

        XML_FOR_EACH(n, xml_child(domain, "devices"), "input") {
                _autofree_ char *node = node_of(n);

                if (node && streq(node, path))
                        return toggle && set_keyboard(xml_child(n, "source"), *toggle);
        }
        source = domain_add_device(domain, "input");
        (void) xml_set(source, "type", "evdev");
        source = xml_add(source, "source");
        (void) xml_set(source, "dev", path);
        if (toggle)
                (void) set_keyboard(source, *toggle);
        return true;
}

/* Nodes of ours that are of another guest, and what is there twice. Whether there were any. */
static bool drop_older(xmlNode *domain, const char *keyboard, const char *mouse)
{
        bool has_keyboard = false, has_mouse = false, dropped = false;

        XML_FOR_EACH(n, xml_child(domain, "devices"), "input") {
                _autofree_ char *node = node_of(n);
                bool *has;

                if (!node || !startswith(node, OUR_NODES))
                        continue;
                has = streq(node, keyboard) ? &has_keyboard : streq(node, mouse) ? &has_mouse : NULL;
                if (has && !*has) {
                        *has = true;
                        continue;
                }
                xml_remove(n);
                dropped = true;
        }
        return dropped;
}

static void want_our_nodes(xmlNode *domain, const struct domain_edit *e, struct plan *notes)
{
        _autofree_ char *keyboard = domain_edit_node(e->guest, "kbd"), *mouse = domain_edit_node(e->guest, "mouse");
        bool changed;

        if (has_our_passthrough(domain)) {
                plan_note(notes, DOMAIN_STEP, PLAN_DONE, "the domain has nodes of vfio-inputd as virtio devices");
                return;
        }
        changed = drop_older(domain, keyboard, mouse);
        changed |= want_node(domain, keyboard, &e->grab_toggle);
        changed |= want_node(domain, mouse, NULL);
        plan_note(notes, DOMAIN_STEP, changed ? PLAN_CHANGES : PLAN_DONE,
                  "the domain reads vfio-inputd's nodes of guest %s as <input type='evdev'>; libvirt gives it access, so "
                  "that the guide's vfio user, input group, cgroup_device_acl and AppArmor rule are not needed",
                  e->guest);
}

static void want_virtio(xmlNode *domain, const char *type, struct plan *notes)
{
        xmlNode *input;

        XML_FOR_EACH(n, xml_child(domain, "devices"), "input") {
                if (!xml_has(n, "type", type) || !xml_has(n, "bus", "virtio"))
                        continue;
                plan_note(notes, DOMAIN_STEP, PLAN_DONE, "the domain has a virtio %s already", type);
                return;
        }
        input = domain_add_device(domain, "input");
        (void) xml_set(input, "type", type);
        (void) xml_set(input, "bus", "virtio");
        plan_note(notes, DOMAIN_STEP, PLAN_CHANGES,
                  "the domain gets a virtio %s, which is used once its guest has a driver for it", type);
}

/* --- what a guide has instead ------------------------------------------------------------------ */

static bool is_qemu(const xmlNode *n, const char *name)
{
        return n->type == XML_ELEMENT_NODE && n->ns && n->ns->href && streq((const char *) n->ns->href, QEMU_URI) &&
               streq((const char *) n->name, name);
}

static xmlNode *next_argument(xmlNode *n)
{
        while (n && !is_qemu(n, "arg"))
                n = n->next;
        return n;
}

static bool is_input_linux(const xmlNode *option, const xmlNode *value)
{
        _autofree_ char *object = xml_get(option, "value"), *text = value ? xml_get(value, "value") : NULL;

        if (!object || !text || (!streq(object, "-object") && !streq(object, "--object")))
                return false;
        return startswith(text, "input-linux") || (*text == '{' && strstr(text, "\"input-linux\""));
}

/* How many there are. remove: takes them out, and the whole if nothing else is in it. */
static unsigned input_linux_arguments(xmlNode *domain, bool remove)
{
        xmlNode *commandline = domain->children, *next;
        unsigned found = 0;

        while (commandline && !is_qemu(commandline, "commandline"))
                commandline = commandline->next;
        if (!commandline)
                return 0;
        for (xmlNode *n = next_argument(commandline->children); n; n = next) {
                xmlNode *value = next_argument(n->next);

                next = value;
                if (!is_input_linux(n, value))
                        continue;
                found++;
                next = next_argument(value->next);
                if (remove) {
                        xml_remove(value);
                        xml_remove(n);
                }
        }
        if (remove && found > 0 && !xmlFirstElementChild(commandline))
                xml_remove(commandline);
        return found;
}

/* Typed ones of the real keyboards and mice. */
static unsigned foreign_nodes(xmlNode *domain, bool remove)
{
        unsigned found = 0;

        XML_FOR_EACH(n, xml_child(domain, "devices"), "input") {
                _autofree_ char *node = xml_has(n, "type", "evdev") ? node_of(n) : NULL;

                if (!node || startswith(node, OUR_NODES))
                        continue;
                found++;
                if (remove)
                        xml_remove(n);
        }
        return found;
}

static void clean_up(xmlNode *domain, bool cleanup, struct plan *notes)
{
        unsigned arguments = input_linux_arguments(domain, cleanup), nodes = foreign_nodes(domain, cleanup);

        if (arguments + nodes == 0)
                return;
        if (cleanup)
                plan_note(notes, DOMAIN_STEP, PLAN_CHANGES,
                          "the domain no longer reads keyboards and mice itself (%u by qemu:commandline, %u by "
                          "<input type='evdev'>): vfio-inputd has them",
                          arguments, nodes);
        else
                plan_note(notes, DOMAIN_STEP, PLAN_OPTIONAL,
                          "the domain reads keyboards or mice itself (%u by qemu:commandline, %u by "
                          "<input type='evdev'>), and grabs them away from vfio-inputd: --cleanup takes that out",
                          arguments, nodes);
}

void domain_edit_inputs(xmlNode *domain, const struct domain_edit *e, struct plan *notes)
{
        if (!e->guest) {
                plan_note(notes, DOMAIN_STEP, PLAN_OPTIONAL, "the input of the domain is left as it is: --no-input");
                return;
        }
        clean_up(domain, e->cleanup, notes);
        want_our_nodes(domain, e, notes);
        want_virtio(domain, "keyboard", notes);
        want_virtio(domain, "mouse", notes);
}
