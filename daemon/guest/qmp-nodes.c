/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/qmp-nodes.h"

#include "common/log.h"
#include "daemon/guest/dac.h"
#include "daemon/guest/input-linux.h"

/*
 * There is a goal, what is known of QEMU, and at most one command on its way.
 * After each reply the next step is the first of these that is needed:
 *
 *      not known which objects exist           qom-list
 *      exists, but goal is GONE                object-del
 *      goal is GONE                            nodes back to root; done
 *      exists, but not known what it reads     qom-get evdev, qom-get grab-toggle
 *      exists, but reads something else        object-del
 *      nodes do not belong to QEMU's user      chown
 *      does not exist                          object-add
 *      otherwise                               done
 *
 * An error changes the goal to GONE and is reported once that is reached.
 */
enum nodes_goal {
        GOAL_GONE,
        GOAL_ATTACHED,
};

enum object_state {
        OBJECT_UNKNOWN,
        OBJECT_MISSING,
        OBJECT_FOUND, /* from an earlier life, not examined yet */
        OBJECT_WRONG, /* reads another device, or has another hotkey */
        OBJECT_RIGHT_NODE, /* the hotkey is not examined yet */
        OBJECT_RIGHT,
};

#define REASON_MAX 320

struct qmp_nodes {
        struct qmp *qmp; /* borrowed */
        char guest[TARGET_NAME_MAX + 1];
        uid_t uid;
        enum grab_toggle grab_toggle;

        enum nodes_goal goal;
        bool busy;
        bool granted;
        struct route_nodes nodes;
        enum object_state objects[GUEST_NODE_MAX_];
        unsigned at; /* the object that the command on its way is about */
        char *error; /* owned; why the goal became GONE */

        qmp_nodes_fn done;
        void *userdata;
};

static void nodes_step(struct qmp_nodes *n);

static void nodes_give_back(struct qmp_nodes *n)
{
        int r;

        n->granted = false;
        r = dac_revoke(n->guest);
        if (r < 0)
                (void) log_warning_errno(r, "Guest %s: cannot give its nodes back to root", n->guest);
}

struct qmp_nodes *qmp_nodes_new(struct qmp *q, const char *guest, uid_t uid, enum grab_toggle grab_toggle,
                                qmp_nodes_fn done, void *userdata)
{
        struct qmp_nodes *n = xnew0(struct qmp_nodes, 1);

        n->qmp = q;
        memcpy(n->guest, guest, strnlen(guest, TARGET_NAME_MAX));
        n->uid = uid;
        n->grab_toggle = grab_toggle;
        n->done = done;
        n->userdata = userdata;
        return n;
}

struct qmp_nodes *qmp_nodes_free(struct qmp_nodes *n)
{
        if (!n)
                return NULL;
        nodes_give_back(n);
        free(n->error);
        free(n);
        return NULL;
}

bool qmp_nodes_is_busy(const struct qmp_nodes *n)
{
        return n->busy;
}

bool qmp_nodes_holds(const struct qmp_nodes *n, const struct route_nodes *nodes)
{
        return !n->busy && n->goal == GOAL_ATTACHED && route_nodes_equal(&n->nodes, nodes) &&
               dac_is_granted(nodes->path[GUEST_KEYBOARD], n->guest, n->uid) &&
               dac_is_granted(nodes->path[GUEST_POINTER], n->guest, n->uid);
}

static void nodes_done(struct qmp_nodes *n)
{
        _autofree_ char *error = TAKE_PTR(n->error);

        n->busy = false;
        n->done(error, n->userdata);
}

static void nodes_fail(struct qmp_nodes *n, char *reason)
{
        if (n->error)
                free(reason);
        else
                n->error = reason;
        n->goal = GOAL_GONE;
}

static void nodes_call(struct qmp_nodes *n, const char *command, struct json_object *arguments, qmp_reply_fn fn)
{
        int r;

        r = qmp_call(n->qmp, command, arguments, fn, n);
        if (r < 0)
                (void) log_error_errno(r, "Guest %s: cannot send %s to QEMU", n->guest, command);
}

static void on_listed(struct json_object *result, const char *error, void *userdata)
{
        struct qmp_nodes *n = userdata;
        struct json_object *name;
        size_t n_objects;

        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++)
                n->objects[i] = OBJECT_MISSING;
        if (error || !json_object_is_type(result, json_type_array)) {
                nodes_fail(n, xasprintf("QEMU does not list its objects: %s", error ?: "no list"));
                nodes_step(n);
                return;
        }
        n_objects = json_object_array_length(result);
        for (size_t k = 0; k < n_objects; k++) {
                if (!json_object_object_get_ex(json_object_array_get_idx(result, k), "name", &name) ||
                    !json_object_is_type(name, json_type_string))
                        continue;
                for (unsigned i = 0; i < GUEST_NODE_MAX_; i++)
                        if (streq(json_object_get_string(name), input_linux_id(i)))
                                n->objects[i] = OBJECT_FOUND;
        }
        nodes_step(n);
}

static void nodes_list(struct qmp_nodes *n)
{
        struct json_object *arguments = json_object_new_object();

        json_object_object_add(arguments, "path", json_object_new_string("/objects"));
        nodes_call(n, "qom-list", arguments, on_listed);
}

static bool result_is(struct json_object *result, const char *s)
{
        return json_object_is_type(result, json_type_string) && streq(json_object_get_string(result), s);
}

static void on_evdev(struct json_object *result, const char *error, void *userdata)
{
        struct qmp_nodes *n = userdata;
        const char *node = n->nodes.path[n->at];

        /* The same path may be another device by now, which nobody was given yet. */
        if (!error && result_is(result, node) && dac_is_granted(node, n->guest, n->uid))
                n->objects[n->at] = OBJECT_RIGHT_NODE;
        else
                n->objects[n->at] = OBJECT_WRONG;
        nodes_step(n);
}

static void on_grab_toggle(struct json_object *result, const char *error, void *userdata)
{
        struct qmp_nodes *n = userdata;
        bool right = !error && result_is(result, grab_toggle_to_string(n->grab_toggle));

        n->objects[n->at] = right ? OBJECT_RIGHT : OBJECT_WRONG;
        nodes_step(n);
}

static void nodes_get(struct qmp_nodes *n, unsigned i, const char *property, qmp_reply_fn fn)
{
        struct json_object *arguments = json_object_new_object();
        _autofree_ char *path = xasprintf("/objects/%s", input_linux_id(i));

        n->at = i;
        json_object_object_add(arguments, "path", json_object_new_string(path));
        json_object_object_add(arguments, "property", json_object_new_string(property));
        nodes_call(n, "qom-get", arguments, fn);
}

static void on_deleted(struct json_object *result, const char *error, void *userdata)
{
        struct qmp_nodes *n = userdata;

        n->objects[n->at] = OBJECT_MISSING;
        if (error)
                nodes_fail(n, xasprintf("QEMU does not let go of %s: %s", input_linux_id(n->at), error));
        nodes_step(n);
}

static void nodes_delete(struct qmp_nodes *n, unsigned i)
{
        struct json_object *arguments = json_object_new_object();

        n->at = i;
        json_object_object_add(arguments, "id", json_object_new_string(input_linux_id(i)));
        nodes_call(n, "object-del", arguments, on_deleted);
}

static void on_added(struct json_object *result, const char *error, void *userdata)
{
        struct qmp_nodes *n = userdata;

        if (!error)
                n->objects[n->at] = OBJECT_RIGHT;
        else if (n->goal == GOAL_ATTACHED)
                nodes_fail(n, xasprintf("QEMU cannot use %s: %s", n->nodes.path[n->at], error));
        nodes_step(n);
}

static void nodes_add(struct qmp_nodes *n, unsigned i)
{
        n->at = i;
        nodes_call(n, "object-add",
                   input_linux_arguments(i, n->nodes.path[i], n->grab_toggle, qmp_major(n->qmp)),
                   on_added);
}

static void nodes_grant(struct qmp_nodes *n)
{
        int r;

        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                r = dac_grant(n->nodes.path[i], n->guest, n->uid);
                if (r < 0) {
                        nodes_fail(n, xasprintf("cannot give %s to user %u: %s", n->nodes.path[i], n->uid,
                                                r == -ENODEV ? "it is no node of this guest" : strerror(-r)));
                        return;
                }
        }
        n->granted = true;
}

/* Takes the next step towards having object i as the goal wants it. False if
 * there is none to take. */
static bool object_step(struct qmp_nodes *n, unsigned i)
{
        switch (n->objects[i]) {
        case OBJECT_UNKNOWN:
                nodes_list(n);
                return true;
        case OBJECT_MISSING:
                return false;
        case OBJECT_FOUND:
                if (n->goal == GOAL_GONE)
                        nodes_delete(n, i);
                else
                        nodes_get(n, i, "evdev", on_evdev);
                return true;
        case OBJECT_RIGHT_NODE:
                if (n->goal == GOAL_GONE)
                        nodes_delete(n, i);
                else
                        nodes_get(n, i, "grab-toggle", on_grab_toggle);
                return true;
        case OBJECT_WRONG:
                nodes_delete(n, i);
                return true;
        case OBJECT_RIGHT:
                if (n->goal == GOAL_GONE)
                        nodes_delete(n, i);
                return n->goal == GOAL_GONE;
        }
        return false;
}

static void nodes_step(struct qmp_nodes *n)
{
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++)
                if (object_step(n, i))
                        return;
        if (n->goal == GOAL_ATTACHED && !n->granted) {
                nodes_grant(n);
                if (n->goal == GOAL_GONE) {
                        nodes_step(n);
                        return;
                }
        }
        if (n->goal == GOAL_GONE) {
                nodes_give_back(n);
                nodes_done(n);
                return;
        }
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++) {
                if (n->objects[i] == OBJECT_MISSING) {
                        nodes_add(n, i);
                        return;
                }
        }
        nodes_done(n);
}

static void nodes_begin(struct qmp_nodes *n, enum nodes_goal goal)
{
        n->goal = goal;
        n->granted = false;
        for (unsigned i = 0; i < GUEST_NODE_MAX_; i++)
                n->objects[i] = OBJECT_UNKNOWN;
        n->busy = true;
        nodes_step(n);
}

void qmp_nodes_attach(struct qmp_nodes *n, const struct route_nodes *nodes)
{
        n->nodes = *nodes;
        nodes_begin(n, GOAL_ATTACHED);
}

void qmp_nodes_detach(struct qmp_nodes *n)
{
        if (!n->busy) {
                nodes_begin(n, GOAL_GONE);
                return;
        }
        /* The reply that is due leads on to the new goal. */
        n->goal = GOAL_GONE;
        free(TAKE_PTR(n->error));
}
