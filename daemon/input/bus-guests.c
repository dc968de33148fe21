/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/bus-guests.h"

#include "common/mem.h"
#include "daemon/input/guest-hotkey.h"
#include "daemon/input/manager.h"

static int no_such_guest(sd_bus_error *error, const char *name)
{
        return sd_bus_error_setf(error, VFIO_ERROR_NO_SUCH_TARGET, "There is no guest '%s'.", name);
}

static int is_configured(sd_bus_error *error, const char *name)
{
        return sd_bus_error_setf(error, VFIO_ERROR_BUSY, "Guest '%s' is in the configuration.", name);
}

int bus_act_add_guest(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        r = manager_add_guest(userdata, name);
        if (r == -EINVAL)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                         "'%s' is no valid name: expected at most %d characters of a-z, 0-9, '.', '_' "
                                         "and '-', not beginning with a mark, not 'host'.",
                                         name, TARGET_NAME_MAX);
        if (r == -ENOSPC)
                return sd_bus_error_setf(error, VFIO_ERROR_FAILED, "There are %d targets already.", ROUTER_TARGETS_MAX);
        if (r < 0)
                return sd_bus_error_setf(error, VFIO_ERROR_FAILED, "The kernel does not create its nodes: %s",
                                         strerror(-r));
        return sd_bus_reply_method_return(m, NULL);
}

int bus_act_remove_guest(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        r = manager_remove_guest(userdata, name);
        if (r == -ENOENT)
                return no_such_guest(error, name);
        if (r == -EBUSY)
                return is_configured(error, name);
        return sd_bus_reply_method_return(m, NULL);
}

int bus_act_set_ready(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name, *reason;
        int r, ready;

        r = sd_bus_message_read(m, "sbs", &name, &ready, &reason);
        if (r < 0)
                return r;
        r = manager_set_ready(userdata, name, ready, reason);
        if (r == -ENOENT)
                return no_such_guest(error, name);
        return sd_bus_reply_method_return(m, NULL);
}

int bus_act_set_stopped(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name, *reason;
        int r;

        r = sd_bus_message_read(m, "ss", &name, &reason);
        if (r < 0)
                return r;
        r = manager_set_stopped(userdata, name, reason);
        if (r == -ENOENT)
                return no_such_guest(error, name);
        return sd_bus_reply_method_return(m, NULL);
}

/* Counts all, keeps as many as a hotkey may have. They live as long as the message. */
static int read_keys(sd_bus_message *m, const char *ret[HOTKEY_KEYS_MAX], unsigned *ret_n)
{
        const char *key;
        int r;

        *ret_n = 0;
        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read_basic(m, 's', &key)) > 0) {
                if (*ret_n < HOTKEY_KEYS_MAX)
                        ret[*ret_n] = key;
                (*ret_n)++;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int bus_act_set_toggle(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name, *keys[HOTKEY_KEYS_MAX];
        _autofree_ char *message = NULL;
        unsigned n;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
                r = read_keys(m, keys, &n);
        if (r < 0)
                return r;
        r = guest_hotkey_set(userdata, name, keys, n, &message);
        if (r == -ENOENT)
                return no_such_guest(error, name);
        if (r == -EBUSY)
                return is_configured(error, name);
        if (r < 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, message);
        return sd_bus_reply_method_return(m, NULL);
}

int bus_act_set_grab_toggle(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *name, *grab_toggle;
        int r;

        r = sd_bus_message_read(m, "ss", &name, &grab_toggle);
        if (r < 0)
                return r;
        r = guest_hotkey_set_grab_toggle(userdata, name, grab_toggle);
        if (r == -ENOENT)
                return no_such_guest(error, name);
        if (r < 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                        "Unknown grab-toggle; expected 'ctrl-ctrl', 'alt-alt', 'shift-shift' or "
                                        "'meta-meta'.");
        return sd_bus_reply_method_return(m, NULL);
}
