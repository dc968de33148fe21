/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text is either a domain or refused with a message; and whatever domain it
 * is, a guest that it becomes has a name of its own. */

#include <stdint.h>

#include "common/log.h"
#include "common/text.h"
#include "daemon/guest/adoption.h"
#include "daemon/guest/domain-xml.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char configuration[] =
        "libvirt = { only = [ \"[a-y]*\", \"W?n*\" ]; ignore = [ \"test-*\" ]; };"
        "guests = ( { name = \"a\"; domain = \"Win 11\"; toggle = [ \"f1\" ]; }, { name = \"q\"; qmp = \"/q\"; },"
        "{ name = \"b\"; domain = \"0a1b2c3d-1111-4222-8333-00000000abcd\"; }, { name = \"c\"; } );";

static struct config *config; /* freed by nobody: it lives as long as the fuzzer */

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void require_printable(const char *s)
{
        _autofree_ char *printable = text_printable(s);

        require(*s && strlen(s) <= 256 && streq(s, printable));
}

static void check_metadata(const struct domain_metadata *m)
{
        bool any = m->set_name || m->set_toggle || m->set_route || m->set_grab_toggle || m->set_focus_on_start ||
                   m->set_timeout_ms || m->adopt != DOMAIN_ADOPT_BY_RULE;

        require(!any || (m->present && !m->error));
        require(!m->set_name == !*m->guest.name);
        require(!m->set_name || target_name_is_valid(m->guest.name));
        require(m->guest.timeout_ms >= CONFIG_TIMEOUT_MS_MIN && m->guest.timeout_ms <= CONFIG_TIMEOUT_MS_MAX);
        require(!!route_choice_to_string(m->guest.route) && !!grab_toggle_to_string(m->guest.grab_toggle));
        require(!hotkey_is_in_panic(&m->guest.toggle));
        if (m->error)
                require_printable(m->error);
}

static void check_domain(const struct domain_xml *d)
{
        require(*d->name && strlen(d->uuid) == 36);
        for (size_t i = 0; i < d->n_inputs; i++)
                require(*d->inputs[i].path);
        check_metadata(&d->metadata);
}

static bool is_taken(const char *name, void *userdata)
{
        require(target_name_is_valid(name));
        return startswith(name, "d") && !strchr(name, '-');
}

static void check_adoption(const struct domain_xml *d)
{
        struct guest_config g;
        const char *reason = NULL;

        if (!adoption_decide(config, d, is_taken, NULL, &g, &reason)) {
                require_printable(reason);
                return;
        }
        require(target_name_is_valid(g.name) && !is_taken(g.name, NULL) && g.domain && !g.qmp);
        guest_config_clear(&g);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        char *error;

        log_set_level(LOG_LEVEL_ERROR);
        return config_parse(configuration, strlen(configuration), "fuzz", NULL, &config, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(domain_xml_freep) struct domain_xml *d = NULL;
        _autofree_ char *error = NULL;
        int r = domain_xml_parse((const char *) data, size, &d, &error);

        require((r < 0) == !d && (r < 0) == !!error);
        if (error) {
                require_printable(error);
                return 0;
        }
        check_domain(d);
        check_adoption(d);
        return 0;
}
