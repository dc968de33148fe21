/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/attachment.h"

#include <libvirt/virterror.h>

#include <strings.h>

#include "common/text.h"
#include "daemon/guest/domain-xml.h"
#include "daemon/guest/input-linux.h"
#include "daemon/guest/libvirt-input.h"
#include "daemon/guest/monitor.h"

static const char *const ways[WAY_MAX_] = {
        [WAY_STATIC] = "static",
        [WAY_ATTACH] = "attach",
        [WAY_GRANT] = "grant",
        [WAY_VIRTIO] = "virtio",
};

const char *way_to_string(enum way way)
{
        return ways[way];
}

/* Adds a sentence to another one; *text is owned by the caller. */
static void add_text(char **text, const char *more)
{
        char *old = *text;

        *text = old && *old ? xasprintf("%s; %s", old, more) : xstrdup(more);
        free(old);
}

static void put_error(char **error, char *text)
{
        free(*error);
        *error = text;
}

/* --- what the domain's XML says --- */

/* The device that names this node, or NULL. */
static const struct domain_input *find_input(const struct domain_xml *x, const struct input_node *node)
{
        struct input_node named;

        for (size_t i = 0; i < x->n_inputs; i++)
                if (input_node_resolve(x->inputs[i].path, &named) >= 0 && named.device == node->device)
                        return &x->inputs[i];
        return NULL;
}

static bool is_ours(const struct domain_input *input, unsigned node)
{
        return streq_null(input->alias, libvirt_input_alias(node));
}

static int read_xml(virDomainPtr domain, struct domain_xml **ret, char **ret_error)
{
        _autofree_ char *text = virDomainGetXMLDesc(domain, 0);

        if (!text) {
                *ret_error = text_printable(virGetLastErrorMessage());
                return -EIO;
        }
        return domain_xml_parse(text, strlen(text), ret, ret_error);
}

/* Whether the node came into QEMU by this way, as the XML has it. */
static bool is_by(const struct domain_input *input, unsigned node, enum way way)
{
        if (way == WAY_STATIC)
                return !is_ours(input, node);
        return is_ours(input, node) && input->passthrough == (way == WAY_VIRTIO);
}

/* Takes over what is attached already, if it is what the plan wants. */
static bool take_over(const struct attachment_plan *plan, const struct domain_xml *x, struct attachment *a)
{
        static const enum way candidates[] = { WAY_STATIC, WAY_ATTACH, WAY_VIRTIO };

        for (size_t k = 0; k < ARRAY_SIZE(candidates); k++) {
                enum way way = candidates[k];
                unsigned n = 0;

                if (way == WAY_VIRTIO && plan->choice != ROUTE_VIRTIO)
                        continue;
                if (way == WAY_ATTACH && plan->choice != ROUTE_AUTO && plan->choice != ROUTE_ATTACH)
                        continue;
                for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                        const struct domain_input *input = find_input(x, &a->nodes[i]);

                        if (input && is_by(input, i, way) && process_has_open(plan->process, a->nodes[i].device) > 0)
                                n++;
                }
                a->way = way;
                if (n == GUEST_NODE_MAX_)
                        return true;
        }
        return false;
}

/* Unplugs what an earlier life has plugged in and take_over did not want. */
static void unplug_old(const struct attachment_plan *plan, const struct domain_xml *x)
{
        for (size_t k = 0; k < x->n_inputs; k++)
                for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                        _autofree_ char *error = NULL;

                        if (is_ours(&x->inputs[k], i))
                                (void) libvirt_input_detach(plan->domain, i, x->inputs[k].path,
                                                            x->inputs[k].passthrough, plan->grab_toggle, &error);
                }
}

static bool has_ours(const struct domain_xml *x)
{
        for (size_t k = 0; k < x->n_inputs; k++)
                for (unsigned i = 0; i < GUEST_NODE_MAX_; i++)
                        if (is_ours(&x->inputs[k], i))
                                return true;
        return false;
}

/* A PCI device goes only when the guest lets it go, and libvirt says success
 * all the same (qemuDomainDetachDeviceLive waits a few seconds). With such a
 * device in its way the guest would be deaf. */
static int make_room(const struct attachment_plan *plan, const struct domain_xml *x, char **ret_error)
{
        _cleanup_(domain_xml_freep) struct domain_xml *now = NULL;
        int r;

        if (!has_ours(x))
                return 0;
        unplug_old(plan, x);
        r = read_xml(plan->domain, &now, ret_error);
        if (r < 0)
                return r;
        if (!has_ours(now))
                return 0;
        *ret_error = xstrdup("the guest does not let go of the input devices that it had before; they go when it is "
                             "started anew");
        return -EBUSY;
}

static bool is_named(const struct domain_xml *x, const struct attachment *a)
{
        const struct domain_input *input = find_input(x, &a->nodes[GUEST_KEYBOARD]);

        return input && !is_ours(input, GUEST_KEYBOARD);
}

/* Only the user knows which hotkey the domain's XML gives to QEMU. */
static void take_grab_toggle(const struct domain_xml *x, struct attachment *a)
{
        const struct domain_input *input = find_input(x, &a->nodes[GUEST_KEYBOARD]);

        if (a->way != WAY_STATIC || !input || input->passthrough)
                return;
        a->grab_toggle = input->grab_toggle;
        if (a->grab_toggle == GRAB_TOGGLE_INVALID)
                add_text(&a->why, "Scroll Lock makes this guest deaf, as its domain's grabToggle says so: meta-meta is "
                                  "a better one");
}

/* --- libvirt's hot-attach --- */

static int plug_in(const struct attachment_plan *plan, struct attachment *a, bool virtio, char **ret_error)
{
        int r;

        a->way = virtio ? WAY_VIRTIO : WAY_ATTACH;
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                r = libvirt_input_attach(plan->domain, i, a->nodes[i].path, virtio, plan->grab_toggle, ret_error);
                if (r >= 0)
                        continue;
                while (i-- > 0) {
                        _autofree_ char *ignored = NULL;

                        (void) libvirt_input_detach(plan->domain, i, a->nodes[i].path, virtio, plan->grab_toggle,
                                                    &ignored);
                }
                return r;
        }
        return 0;
}

/* The same for evdev, unless it is known to be in vain. */
static int try_to_plug_in(const struct attachment_plan *plan, struct attachment *a, char **ret_error)
{
        int r;

        if (plan->refused) {
                *ret_error = xstrdup(plan->refused);
                return -EOPNOTSUPP;
        }
        r = plug_in(plan, a, false, ret_error);
        if (r == -EOPNOTSUPP)
                a->refused = xstrdup(*ret_error);
        return r;
}

/* --- the grant, and QEMU's objects --- */

static void merge_layers(struct layers *to, const struct layers *from)
{
        for (unsigned i = 0; i < LAYER_MAX_; i++)
                if (to->at[i].state != LAYER_SHUT && from->at[i].state != LAYER_UNKNOWN)
                        to->at[i] = from->at[i];
}

static int open_doors(const struct attachment_plan *plan, struct attachment *a, struct layers *layers,
                      char **ret_error)
{
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                struct layers one = { 0 };
                int r;

                r = grant_open(plan->records, plan->uuid, plan->name, plan->process, &a->nodes[i], &one,
                               &a->grants[i]);
                merge_layers(layers, &one);
                if (r < 0) {
                        *ret_error = layers_blocking(layers) ?:
                                             xasprintf("cannot grant %s: %s", a->nodes[i].path, strerror(-r));
                        return r;
                }
        }
        return 0;
}

static struct json_object *object_arguments(const char *key, const char *format, unsigned node)
{
        struct json_object *arguments = json_object_new_object();
        _autofree_ char *value = xasprintf("%s%s", format, input_linux_id(node));

        json_object_object_add(arguments, key, json_object_new_string(value));
        return arguments;
}

static bool object_has(virDomainPtr domain, unsigned node, const char *property, const char *value)
{
        struct json_object *arguments = object_arguments("path", "/objects/", node), *result = NULL;
        _autofree_ char *error = NULL;
        bool same;

        json_object_object_add(arguments, "property", json_object_new_string(property));
        if (monitor_call(domain, "qom-get", arguments, &result, &error) < 0)
                return false;
        same = json_object_is_type(result, json_type_string) && streq(json_object_get_string(result), value);
        (void) json_object_put(result);
        return same;
}

static int delete_object(virDomainPtr domain, unsigned node, char **ret_error)
{
        int r;

        r = monitor_call(domain, "object-del", object_arguments("id", "", node), NULL, ret_error);
        if (r == -EREMOTEIO && strstr(*ret_error, "not found")) {
                put_error(ret_error, NULL);
                return 0;
        }
        return r;
}

static int add_object(const struct attachment_plan *plan, unsigned node, const char *path, char **ret_error)
{
        int r;

        r = monitor_call(plan->domain, "object-add", input_linux_arguments(node, path, plan->grab_toggle, 0), NULL,
                         ret_error);
        if (r != -EREMOTEIO || !strstr(*ret_error, "duplicate"))
                return r;
        /* Of an earlier life. The path is never another device's, see grant.h. */
        put_error(ret_error, NULL);
        if (object_has(plan->domain, node, "evdev", path) &&
            object_has(plan->domain, node, "grab-toggle", grab_toggle_to_string(plan->grab_toggle)))
                return 0;
        r = delete_object(plan->domain, node, ret_error);
        if (r < 0)
                return r;
        return monitor_call(plan->domain, "object-add", input_linux_arguments(node, path, plan->grab_toggle, 0), NULL,
                            ret_error);
}

/* Why QEMU cannot have the node: one of the layers, if one of them says so. */
static void blame(struct attachment *a, struct layers *layers, char **error)
{
        char *blocking;

        attachment_check(a, layers);
        blocking = layers_blocking(layers);
        if (blocking)
                put_error(error, blocking);
}

static int add_objects(const struct attachment_plan *plan, struct attachment *a, struct layers *layers,
                       char **ret_error)
{
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                int r = add_object(plan, i, grant_path(a->grants[i]), ret_error);

                if (r >= 0)
                        continue;
                blame(a, layers, ret_error);
                for (unsigned k = 0; k < i; k++) {
                        _autofree_ char *ignored = NULL;

                        (void) delete_object(plan->domain, k, &ignored);
                }
                return r;
        }
        return 0;
}

static int close_doors(struct attachment *a, char **ret_error)
{
        int result = 0;

        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                int r = a->grants[i] ? grant_close(TAKE_PTR(a->grants[i])) : 0;

                if (r < 0) {
                        put_error(ret_error, xasprintf("cannot take all of the grant of %s back: %s", a->nodes[i].path,
                                                       strerror(-r)));
                        result = r;
                }
        }
        return result;
}

/* The grants of this domain's guest nodes, by the records. */
struct old_grants {
        const struct attachment_plan *plan;
        bool any;
};

static void close_old_grant(struct grant *g, void *userdata)
{
        struct old_grants *old = userdata;

        if (!*grant_node(g)->guest || strcasecmp(grant_uuid(g), old->plan->uuid) != 0 || grant_close(g) < 0) {
                grant_free(g);
                return;
        }
        old->any = true;
}

/* An earlier life went by a grant, this one does not. */
static void undo_old_grants(const struct attachment_plan *plan)
{
        struct old_grants old = { .plan = plan };

        (void) grants_load(plan->records, false, close_old_grant, &old);
        for (unsigned i = 0; i < GUEST_NODE_MAX_ && old.any; i++) {
                _autofree_ char *ignored = NULL;

                (void) delete_object(plan->domain, i, &ignored);
        }
}

static int grant(const struct attachment_plan *plan, struct attachment *a, struct layers *layers, char **ret_error)
{
        _autofree_ char *ignored = NULL;
        int r;

        a->way = WAY_GRANT;
        r = open_doors(plan, a, layers, ret_error);
        if (r >= 0)
                r = add_objects(plan, a, layers, ret_error);
        if (r < 0)
                (void) close_doors(a, &ignored);
        return r;
}

/* --- one way after the other --- */

/* Goes down the list; add to a->why what did not work. */
static int make_anew(const struct attachment_plan *plan, struct attachment *a, struct layers *layers, char **ret_error)
{
        _autofree_ char *refused = NULL, *why = NULL;
        int r;

        if (plan->choice == ROUTE_VIRTIO)
                return plug_in(plan, a, true, ret_error);
        if (plan->choice == ROUTE_GRANT)
                return grant(plan, a, layers, ret_error);
        r = try_to_plug_in(plan, a, &refused);
        if (r >= 0)
                return 0;
        why = xasprintf("libvirt does not plug the nodes in: %s", refused);
        if (plan->choice == ROUTE_ATTACH) {
                *ret_error = TAKE_PTR(why);
                return r;
        }
        add_text(&a->why, why);
        r = grant(plan, a, layers, ret_error);
        if (r < 0)
                add_text(ret_error, why);
        return r;
}

static int resolve_nodes(const struct attachment_plan *plan, struct attachment *a, char **ret_error)
{
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                int r = input_node_resolve(plan->nodes->path[i], &a->nodes[i]);

                if (r < 0) {
                        *ret_error = xasprintf("vfio-inputd's node %s: %s", plan->nodes->path[i], strerror(-r));
                        return r;
                }
        }
        return 0;
}

int attachment_make(const struct attachment_plan *plan, struct layers *layers, struct attachment **ret,
                    char **ret_error)
{
        _cleanup_(attachment_freep) struct attachment *a = xnew0(struct attachment, 1);
        _cleanup_(domain_xml_freep) struct domain_xml *x = NULL;
        int r;

        a->why = xstrdup("");
        r = resolve_nodes(plan, a, ret_error);
        if (r >= 0)
                r = read_xml(plan->domain, &x, ret_error);
        if (r < 0)
                return r;
        if (!take_over(plan, x, a)) {
                r = make_room(plan, x, ret_error);
                if (r < 0)
                        return r;
                if (is_named(x, a))
                        add_text(&a->why, "the domain names the nodes, but its QEMU has lost them since vfio-inputd "
                                          "made new ones");
                r = make_anew(plan, a, layers, ret_error);
                if (r < 0)
                        return r;
        }
        a->grab_toggle = plan->grab_toggle;
        take_grab_toggle(x, a);
        if (a->way != WAY_GRANT)
                undo_old_grants(plan);
        *ret = TAKE_PTR(a);
        return 0;
}

static int take_away(struct attachment *a, virDomainPtr domain, char **ret_error)
{
        int result = 0;

        for (unsigned i = 0; i < GUEST_NODE_MAX_ && domain; i++) {
                _autofree_ char *error = NULL;
                int r = 0;

                if (a->way == WAY_GRANT)
                        r = delete_object(domain, i, &error);
                else if (a->way != WAY_STATIC)
                        r = libvirt_input_detach(domain, i, a->nodes[i].path, a->way == WAY_VIRTIO,
                                                 GRAB_TOGGLE_META_META, &error);
                if (r < 0) {
                        put_error(ret_error, xasprintf("QEMU does not let go of %s: %s", a->nodes[i].path, error));
                        result = r;
                }
        }
        return result;
}

int attachment_undo(struct attachment *a, virDomainPtr domain, char **ret_error)
{
        int result = take_away(a, domain, ret_error), r;

        r = close_doors(a, ret_error);
        attachment_free(a);
        return result < 0 ? result : r;
}

void attachment_check(struct attachment *a, struct layers *layers)
{
        *layers = (struct layers){ 0 };
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                struct layers one = { 0 };

                if (!a->grants[i])
                        continue;
                (void) grant_check(a->grants[i], &one);
                merge_layers(layers, &one);
        }
}

int attachment_check_driver(virDomainPtr domain, char **ret_error)
{
        struct json_object *arguments, *result = NULL;
        _autofree_ char *path = xasprintf("/machine/peripheral/%s/virtio-backend", libvirt_input_alias(GUEST_KEYBOARD));
        bool works;
        int r;

        arguments = json_object_new_object();
        json_object_object_add(arguments, "path", json_object_new_string(path));
        r = monitor_call(domain, "x-query-virtio-status", arguments, &result, ret_error);
        if (r < 0) { /* before QEMU 7.2 there was no way to know */
                put_error(ret_error, NULL);
                return 0;
        }
        works = strstr(json_object_to_json_string(result), "DRIVER_OK");
        (void) json_object_put(result);
        if (works)
                return 0;
        *ret_error = xstrdup("the guest has no driver for virtio input devices at work (yet): Linux has virtio_input, "
                             "Windows needs vioinput of virtio-win");
        return -ENODEV;
}

struct attachment *attachment_free(struct attachment *a)
{
        if (!a)
                return NULL;
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++)
                grant_free(a->grants[i]);
        free(a->why);
        free(a->refused);
        free(a);
        return NULL;
}
