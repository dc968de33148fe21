/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/input/guest-hotkey.h"

#include "common/log.h"
#include "common/mem.h"
#include "common/text.h"
#include "daemon/input/manager.h"

#define KEY_SHOWN_MAX 32
#define EXPECTED "expected one to three different keys, or the same key twice"

static int parse(const char *const *keys, unsigned n, struct hotkey *ret, char **ret_error)
{
        _autofree_ char *bad_key = NULL;
        unsigned bad;

        *ret = (struct hotkey) { 0 };
        if (n == 0)
                return 0;
        if (n > HOTKEY_KEYS_MAX) {
                *ret_error = xasprintf("A hotkey has no %u keys; " EXPECTED ".", n);
                return -EINVAL;
        }
        if (hotkey_parse(keys, n, ret, &bad) < 0) {
                if (bad == n) {
                        *ret_error = xstrdup("The keys do not go together; " EXPECTED ".");
                        return -EINVAL;
                }
                bad_key = text_printable(keys[bad]);
                text_cut(bad_key, KEY_SHOWN_MAX);
                *ret_error = xasprintf("Unknown key '%s'; expected a name such as 'leftctrl', 'f12' or 'btn_side'.",
                                       bad_key);
                return -EINVAL;
        }
        if (hotkey_is_in_panic(ret)) {
                *ret_error = xstrdup("It is part of the panic chord backspace+esc+enter; expected a key that is not "
                                     "in it.");
                return -EINVAL;
        }
        return 0;
}

/* Who else has this hotkey, as a sentence owned by the caller, or NULL. */
static char *find_clash(const struct manager *m, const struct pair *own, const struct hotkey *h)
{
        const struct config *c = m->config;
        const struct {
                const char *setting;
                const struct hotkey *hotkey;
        } settings[] = { { "toggle", &c->toggle }, { "next", &c->next }, { "host", &c->host } };

        for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
                if (hotkey_equal(h, settings[i].hotkey))
                        return xasprintf("'%s' in the configuration is the same hotkey", settings[i].setting);
        for (unsigned i = 0; i < c->n_guests; i++)
                if (hotkey_equal(h, &c->guests[i].toggle))
                        return xasprintf("guest '%s' has the same hotkey in the configuration", c->guests[i].name);
        for (const struct pair *p = m->pairs; p; p = p->next)
                if (p != own && !p->configured && hotkey_equal(h, &p->target.chord.hotkey))
                        return xasprintf("guest '%s' has the same hotkey", p->target.name);
        return NULL;
}

/* NULL: there is no such guest. */
static struct pair *find_guest(struct manager *m, const char *guest)
{
        struct target *t = router_find_target(&m->router, guest);

        return t && t != &m->host ? pair_of_target(t) : NULL;
}

int guest_hotkey_set(struct manager *m, const char *guest, const char *const *keys, unsigned n, char **ret_error)
{
        _autofree_ char *clash = NULL;
        struct pair *p = find_guest(m, guest);
        struct hotkey h;
        int r;

        if (!p)
                return -ENOENT;
        if (p->configured)
                return -EBUSY;
        r = parse(keys, n, &h, ret_error);
        if (r < 0)
                return r;
        if (h.n_keys > 0)
                clash = find_clash(m, p, &h);
        if (clash) {
                *ret_error = xasprintf("It is taken: %s.", clash);
                return -EINVAL;
        }
        if (hotkey_equal(&h, &p->target.chord.hotkey))
                return 0;
        p->target.chord = (struct chord) { .hotkey = h };
        bus_target_changed(m->bus, &p->target, "Toggle");
        return 0;
}

int guest_hotkey_set_grab_toggle(struct manager *m, const char *guest, const char *grab_toggle)
{
        enum grab_toggle toggle = grab_toggle_from_string(grab_toggle);
        struct pair *p = find_guest(m, guest);

        if (!p)
                return -ENOENT;
        if (toggle < 0)
                return -EINVAL;
        grab_toggle_keys(toggle, p->target.guard);
        p->grab_toggle_told = true;
        return 0;
}

void guest_hotkeys_check(struct manager *m)
{
        for (struct pair *p = m->pairs; p; p = p->next) {
                _autofree_ char *clash = NULL;

                if (p->configured || p->target.chord.hotkey.n_keys == 0)
                        continue;
                clash = find_clash(m, p, &p->target.chord.hotkey);
                if (!clash)
                        continue;
                log_warning("guest %s: its own hotkey is dropped: %s", p->target.name, clash);
                p->target.chord = (struct chord) { 0 };
        }
}
