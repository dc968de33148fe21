/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/bus-grants.h"

#include "common/log.h"
#include "common/names.h"
#include "daemon/guest/bus-internal.h"
#include "daemon/guest/node-use.h"

#define ACTION_GRANT "org.vfio.guestd1.grant"

int bus_append_layers(sd_bus_message *m, const struct layers *l)
{
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sss)");
        for (unsigned i = 0; r >= 0 && l && i < LAYER_MAX_; i++)
                if (l->at[i].state != LAYER_UNKNOWN)
                        r = sd_bus_message_append(m, "(sss)", layer_to_string((enum layer) i),
                                                  layer_state_to_string(l->at[i].state), l->at[i].text);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* What a Grant message asks for. */
struct wish {
        const struct domain *domain;
        struct input_node node;
        const char *path; /* as the caller wrote it */
        int in_use;
};

static int find_domain(struct guest_bus *b, const char *name, const struct domain **ret, sd_bus_error *error)
{
        struct domains *domains = manager_domains(b->manager);
        const struct domain *d = domains_find(domains, name);

        if (domains_link(domains) != DOMAINS_CONNECTED)
                return sd_bus_error_setf(error, VFIO_ERROR_NOT_READY, "libvirt cannot be asked: %s",
                                         domains_reason(domains));
        if (!d)
                return sd_bus_error_set(error, VFIO_ERROR_NO_SUCH_DOMAIN, "libvirt has no domain of this name or UUID");
        if (d->state == DOMAIN_OFF)
                return sd_bus_error_set(error, VFIO_ERROR_NO_SUCH_DOMAIN, "The domain does not run");
        *ret = d;
        return 0;
}

static int find_node(const char *path, struct input_node *ret, sd_bus_error *error)
{
        int r;

        if (*path != '/')
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "The node must be an absolute path");
        /* Nobody shall learn from us what there is elsewhere. */
        if (!startswith(path, "/dev/") || strstr(path, "/../"))
                return sd_bus_error_set(error, VFIO_ERROR_NO_SUCH_NODE,
                                        "That is no input device: expected a path below /dev");
        r = input_node_resolve(path, ret);
        if (r == -ENODEV)
                return sd_bus_error_set(error, VFIO_ERROR_NO_SUCH_NODE,
                                        "That is no input device: expected /dev/input/eventN or a link to one");
        if (r < 0)
                return sd_bus_error_setf(error, VFIO_ERROR_NO_SUCH_NODE, "There is no such node: %s", strerror(-r));
        return 0;
}

/* What is a guest's is nobody else's, and the guest gets it by itself. */
static int check_owner(const struct wish *w, sd_bus_error *error)
{
        if (!*w->node.guest)
                return 0;
        return sd_bus_error_setf(error, VFIO_ERROR_IN_USE, "%s is the node of guest %s, and only for that",
                                 w->node.path, w->node.guest);
}

static int check_use(const struct wish *w, sd_bus_error *error)
{
        const char *use = w->node.is_mirror ? "it is the host's mirror of one of its devices" : node_use(&w->node);

        if (!use || w->in_use)
                return 0;
        return sd_bus_error_setf(error, VFIO_ERROR_IN_USE, "The host uses %s: %s", w->node.path, use);
}

static int read_wish(struct guest_bus *b, sd_bus_message *m, struct wish *ret, sd_bus_error *error)
{
        const char *name;
        int r;

        r = sd_bus_message_read(m, "ssb", &name, &ret->path, &ret->in_use);
        if (r < 0)
                return r;
        r = find_node(ret->path, &ret->node, error);
        if (r >= 0)
                r = find_domain(b, name, &ret->domain, error);
        if (r >= 0)
                r = check_owner(ret, error);
        return r < 0 ? r : check_use(ret, error);
}

static void on_granted(int e, const char *text, void *userdata)
{
        sd_bus_message *m = userdata;
        int r;

        if (e < 0)
                r = sd_bus_reply_method_errorf(m, VFIO_ERROR_FAILED, "%s", text);
        else
                r = sd_bus_reply_method_return(m, "s", text);
        if (r < 0)
                (void) log_debug_errno(r, "Cannot reply to Grant");
        sd_bus_message_unref(m);
}

/* Everything is looked at once more: the question to polkit may have taken minutes. */
static int act_grant(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        struct wish w;
        int r;

        r = read_wish(b, m, &w, error);
        if (r < 0)
                return r;
        grants_request(manager_grants(b->manager), w.domain, &w.node, on_granted, sd_bus_message_ref(m));
        return 1;
}

int bus_method_grant(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        struct wish w;
        int r;

        r = read_wish(b, m, &w, error);
        return r < 0 ? r : polkit_guard(b->polkit, m, ACTION_GRANT, act_grant, b, error);
}

static int act_revoke(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        const char *domain, *node;
        int r;

        r = sd_bus_message_read(m, "ss", &domain, &node);
        if (r < 0)
                return r;
        r = grants_revoke(manager_grants(b->manager), domain, node);
        if (r == -EBUSY)
                return sd_bus_error_set(error, VFIO_ERROR_BUSY, "A grant is being made just now");
        if (r == -ENOENT)
                return sd_bus_error_set(error, VFIO_ERROR_NO_SUCH_GRANT, "This domain has not been granted this node");
        if (r < 0)
                return sd_bus_error_setf(error, VFIO_ERROR_FAILED, "Not all of the grant can be undone: %s",
                                         strerror(-r));
        return sd_bus_reply_method_return(m, "");
}

int bus_method_revoke(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest_bus *b = userdata;

        return polkit_guard(b->polkit, m, ACTION_GRANT, act_revoke, b, error);
}

static int append_grant(sd_bus_message *m, const struct grant *g, const struct layers *l)
{
        int r;

        r = sd_bus_message_open_container(m, 'r', "sssua(sss)");
        if (r >= 0)
                r = sd_bus_message_append(m, "sssu", grant_domain(g), grant_node(g)->path, grant_path(g),
                                          (uint32_t) grant_pid(g));
        if (r >= 0)
                r = bus_append_layers(m, l);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_grants(sd_bus_message *m, struct manager *manager)
{
        const struct layers *layers;
        const struct grant *grant;
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sssua(sss))");
        for (unsigned i = 0; r >= 0 && grants_at(manager_grants(manager), i, &grant, &layers); i++)
                r = append_grant(m, grant, layers);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_method_list_grants(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        struct guest_bus *b = userdata;
        sd_bus_message *reply = NULL;
        int r;

        grants_check(manager_grants(b->manager));
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = append_grants(reply, b->manager);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        sd_bus_message_unref(reply);
        return r;
}
