/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/monitor.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>

#include "common/mem.h"
#include "common/text.h"

static void json_putp(struct json_object **o)
{
        (void) json_object_put(*o);
}

/* The member of a JSON object, or NULL. */
static struct json_object *member(struct json_object *o, const char *name)
{
        struct json_object *value;

        return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, name, &value) ? value : NULL;
}

/* What stands in a reply that is an error; owned by the caller. */
static char *error_text(struct json_object *reply)
{
        struct json_object *text = member(member(reply, "error"), "desc");

        if (!json_object_is_type(text, json_type_string))
                return xstrdup("QEMU's answer makes no sense");
        return text_printable(json_object_get_string(text));
}

static int read_reply(const char *text, struct json_object **ret, char **ret_error)
{
        _cleanup_(json_putp) struct json_object *reply = json_tokener_parse(text);
        struct json_object *result = member(reply, "return");

        if (!result) {
                *ret_error = error_text(reply);
                return -EREMOTEIO;
        }
        if (ret)
                *ret = json_object_get(result);
        return 0;
}

int monitor_call(virDomainPtr domain, const char *command, struct json_object *arguments, struct json_object **ret,
                 char **ret_error)
{
        _cleanup_(json_putp) struct json_object *request = json_object_new_object();
        _autofree_ char *reply = NULL;

        json_object_object_add(request, "execute", json_object_new_string(command));
        if (arguments)
                json_object_object_add(request, "arguments", arguments);
        if (virDomainQemuMonitorCommand(domain, json_object_to_json_string(request), &reply, 0) < 0) {
                *ret_error = text_printable(virGetLastErrorMessage());
                return -EIO;
        }
        return read_reply(reply, ret, ret_error);
}
