/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The values of a configuration that have a type of their own, and the guest as
 * a whole; how they are read is in config.c. */

#include "common/config.h"

#include <strings.h>

bool target_name_is_valid(const char *name)
{
        static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
        static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
        size_t n = strlen(name);

        if (n == 0 || n > TARGET_NAME_MAX || streq(name, TARGET_HOST))
                return false;
        return strchr(first, name[0]) && strspn(name, all) == n;
}

static bool is_name_character(char c, bool first)
{
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
                return true;
        return !first && (c == '.' || c == '_' || c == '-');
}

/* A name that is allowed stays what it is. Of several characters in a row that
 * are not one "-" is left, and none at the ends. */
void target_name_make(const char *text, char ret[TARGET_NAME_MAX + 1])
{
        bool gap = false;
        size_t n = 0;

        for (; *text; text++) {
                char c = *text >= 'A' && *text <= 'Z' ? (char) (*text - 'A' + 'a') : *text;
                bool allowed = is_name_character(c, n == 0);
                bool dash = allowed && gap && n > 0;

                if (allowed && n + dash + 1 > TARGET_NAME_MAX)
                        break;
                if (dash)
                        ret[n++] = '-';
                if (allowed)
                        ret[n++] = c;
                gap = !allowed;
        }
        ret[n] = '\0';
        if (n == 0)
                memcpy(ret, "guest", sizeof("guest"));
        else if (streq(ret, TARGET_HOST))
                memcpy(ret, "guest-" TARGET_HOST, sizeof("guest-" TARGET_HOST));
}

static const struct {
        const char *name;
        uint16_t keys[2];
} grab_toggles[GRAB_TOGGLE_MAX_] = {
        [GRAB_TOGGLE_CTRL_CTRL] = { "ctrl-ctrl", { KEY_LEFTCTRL, KEY_RIGHTCTRL } },
        [GRAB_TOGGLE_ALT_ALT] = { "alt-alt", { KEY_LEFTALT, KEY_RIGHTALT } },
        [GRAB_TOGGLE_SHIFT_SHIFT] = { "shift-shift", { KEY_LEFTSHIFT, KEY_RIGHTSHIFT } },
        [GRAB_TOGGLE_META_META] = { "meta-meta", { KEY_LEFTMETA, KEY_RIGHTMETA } },
};

const char *grab_toggle_to_string(enum grab_toggle t)
{
        return grab_toggles[t].name;
}

enum grab_toggle grab_toggle_from_string(const char *s)
{
        for (unsigned i = 0; i < GRAB_TOGGLE_MAX_; i++)
                if (streq(s, grab_toggles[i].name))
                        return (enum grab_toggle) i;
        return GRAB_TOGGLE_INVALID;
}

void grab_toggle_keys(enum grab_toggle t, uint16_t ret[2])
{
        memcpy(ret, grab_toggles[t].keys, sizeof(grab_toggles[t].keys));
}

static const char *const route_choices[ROUTE_CHOICE_MAX_] = {
        [ROUTE_AUTO] = "auto",
        [ROUTE_ATTACH] = "attach",
        [ROUTE_GRANT] = "grant",
        [ROUTE_VIRTIO] = "virtio",
};

const char *route_choice_to_string(enum route_choice c)
{
        return route_choices[c];
}

enum route_choice route_choice_from_string(const char *s)
{
        for (unsigned i = 0; i < ROUTE_CHOICE_MAX_; i++)
                if (streq(s, route_choices[i]))
                        return (enum route_choice) i;
        return ROUTE_CHOICE_INVALID;
}

static const char *const adopts[ADOPT_MAX_] = {
        [ADOPT_HOSTDEV] = "hostdev",
        [ADOPT_ALL] = "all",
        [ADOPT_NONE] = "none",
};

const char *adopt_to_string(enum adopt a)
{
        return adopts[a];
}

enum adopt adopt_from_string(const char *s)
{
        for (unsigned i = 0; i < ADOPT_MAX_; i++)
                if (streq(s, adopts[i]))
                        return (enum adopt) i;
        return ADOPT_INVALID;
}

void guest_config_init(struct guest_config *g)
{
        *g = (struct guest_config) {
                .route = ROUTE_AUTO,
                .grab_toggle = GRAB_TOGGLE_META_META,
                .timeout_ms = CONFIG_TIMEOUT_MS_DEFAULT,
        };
}

void guest_config_copy(struct guest_config *to, const struct guest_config *from)
{
        *to = *from;
        to->qmp = xstrdup(from->qmp);
        to->domain = xstrdup(from->domain);
        to->user = xstrdup(from->user);
}

void guest_config_clear(struct guest_config *g)
{
        free(TAKE_PTR(g->qmp));
        free(TAKE_PTR(g->domain));
        free(TAKE_PTR(g->user));
}

bool guest_config_equal(const struct guest_config *a, const struct guest_config *b)
{
        return streq(a->name, b->name) && streq_null(a->qmp, b->qmp) && streq_null(a->domain, b->domain) &&
               streq_null(a->user, b->user) && a->route == b->route && hotkey_equal(&a->toggle, &b->toggle) &&
               a->grab_toggle == b->grab_toggle && a->focus_on_start == b->focus_on_start &&
               a->timeout_ms == b->timeout_ms;
}

const char *guest_config_domain(const struct guest_config *g)
{
        if (g->domain)
                return g->domain;
        return g->qmp ? NULL : g->name;
}

static bool is_uuid(const char *s)
{
        static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
        size_t i;

        for (i = 0; form[i]; i++)
                if (form[i] == '-' ? s[i] != '-' : !s[i] || !strchr("0123456789abcdefABCDEF", s[i]))
                        return false;
        return !s[i];
}

bool guest_config_same_domain(const struct guest_config *a, const struct guest_config *b)
{
        const char *x = guest_config_domain(a), *y = guest_config_domain(b);

        if (!x || !y)
                return false;
        return streq(x, y) || (is_uuid(x) && strcasecmp(x, y) == 0);
}
