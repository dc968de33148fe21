/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/config.h"

#include <libconfig.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/un.h>

#include "common/config-source.h"

/* The grammar is the tables in the middle of this file: which settings there
 * are at which level, what each must be and where it goes. In front of them
 * are the parsers that they name, behind them what looks at more than one
 * setting. The first mistake ends it: fail() makes the message. */

struct parse {
        struct config *config; /* being filled; freed as a whole on failure */
        const char *name; /* of the file, for what is not included */
        const char *include_dir;
        char *error;
};

struct setting;

typedef int (*parse_fn)(struct parse *p, const struct setting *def, config_setting_t *s, void *dest);

struct table {
        const struct setting *settings;
        size_t n;
};

/* The elements of a list of groups, which become an array of structs. */
struct element {
        struct table table;
        size_t size;
        size_t offset_n; /* of the array's length in struct config */
        void (*init)(void *item);
        int (*check)(struct parse *p, config_setting_t *s, const void *item);
};

struct setting {
        const char *name;
        parse_fn parse;
        size_t offset; /* of the destination in the struct that the table fills */
        unsigned min, max; /* of a number; of the length of a string or list */
        const struct table *group;
        const struct element *element;
};

static const char *const type_names[] = {
        [CONFIG_TYPE_NONE] = "nothing", [CONFIG_TYPE_GROUP] = "a group",   [CONFIG_TYPE_INT] = "a number",
        [CONFIG_TYPE_INT64] = "a number", [CONFIG_TYPE_FLOAT] = "a fraction", [CONFIG_TYPE_STRING] = "a string",
        [CONFIG_TYPE_BOOL] = "a boolean", [CONFIG_TYPE_ARRAY] = "an array", [CONFIG_TYPE_LIST] = "a list",
};

/* The full name of the file that libconfig names; NULL there is the main one.
 * Some releases name included files without the directory they found them in. */
static char *file_name(const struct parse *p, const char *file)
{
        if (!file)
                return xstrdup(p->name);
        if (!p->include_dir || startswith(file, p->include_dir))
                return xstrdup(file);
        return xasprintf("%s/%s", p->include_dir, file);
}

static int fail(struct parse *p, const config_setting_t *s, const char *format, ...) _printf_(3, 4);
static int fail(struct parse *p, const config_setting_t *s, const char *format, ...)
{
        _autofree_ char *file = file_name(p, config_setting_source_file(s));
        va_list ap;

        va_start(ap, format);
        p->error = config_vmessage(file, config_setting_source_line(s), format, ap);
        va_end(ap);
        return -EINVAL;
}

/* s may be an element of an array, which has no name of its own. */
static int fail_type(struct parse *p, const struct setting *def, const config_setting_t *s, const char *expected)
{
        return fail(p, s, "\"%s\" %s %s; expected %s", def->name, config_setting_name(s) ? "is" : "contains",
                    type_names[config_setting_type(s)], expected);
}

/* Names: the nearest of a table to one that is not in it. */

#define NAME_LENGTH_MAX 32u /* what is longer is near to nothing */

/* Levenshtein's: how many letters to insert, remove or replace. */
static size_t edit_distance(const char *a, const char *b)
{
        size_t n = MIN(strlen(a), NAME_LENGTH_MAX), row[NAME_LENGTH_MAX + 1];

        for (size_t i = 0; i <= n; i++)
                row[i] = i;
        for (; *b; b++) {
                size_t diagonal = row[0]++;

                for (size_t i = 1; i <= n; i++) {
                        size_t replace = diagonal + (a[i - 1] != *b);

                        diagonal = row[i];
                        row[i] = MIN(replace, MIN(row[i], row[i - 1]) + 1);
                }
        }
        return row[n];
}

/* The names at that distance or less, as a text; owned by the caller. */
static char *names_within(const struct table *t, const char *name, size_t distance)
{
        char *names = NULL;

        for (size_t i = 0; i < t->n; i++) {
                char *more;

                if (edit_distance(name, t->settings[i].name) > distance)
                        continue;
                more = xasprintf("%s%s\"%s\"", names ? names : "", names ? " or " : "", t->settings[i].name);
                free(names);
                names = more;
        }
        return names;
}

static int fail_unknown(struct parse *p, const struct table *t, const config_setting_t *s)
{
        const char *name = config_setting_name(s);
        _autofree_ char *names = NULL;
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < t->n; i++)
                best = MIN(best, edit_distance(name, t->settings[i].name));
        names = names_within(t, name, best <= 1 + strlen(name) / 3 ? best : SIZE_MAX);
        return fail(p, s, "unknown setting \"%.64s\"; expected %s", name, names);
}

/* Scalars. */

static int parse_bool(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        if (config_setting_type(s) != CONFIG_TYPE_BOOL)
                return fail_type(p, def, s, "true or false");
        *(bool *) dest = config_setting_get_bool(s);
        return 0;
}

/* For unsigned and, where -1 means "not set", for int fields. */
static int parse_number(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        int type = config_setting_type(s);
        long long value;

        if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
                return fail(p, s, "\"%s\" is %s; expected a whole number from %u to %u", def->name, type_names[type],
                            def->min, def->max);
        value = config_setting_get_int64(s);
        if (value < def->min || value > def->max)
                return fail(p, s, "\"%s\" is %lld; expected a whole number from %u to %u", def->name, value,
                            def->min, def->max);
        *(unsigned *) dest = (unsigned) value;
        return 0;
}

static int parse_string(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        const char *value = config_setting_get_string(s);

        if (!value)
                return fail_type(p, def, s, "a string");
        if (!*value || strlen(value) > def->max)
                return fail(p, s, "\"%s\" is %s; expected one to %u characters", def->name,
                            *value ? "too long" : "empty", def->max);
        *(char **) dest = xstrdup(value);
        return 0;
}

static int parse_path(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        const char *value = config_setting_get_string(s);

        if (value && *value != '/')
                return fail(p, s, "\"%s\" is \"%.64s\"; expected an absolute path, /...", def->name, value);
        return parse_string(p, def, s, dest);
}

static int parse_name(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        const char *value = config_setting_get_string(s);

        if (!value)
                return fail_type(p, def, s, "a string");
        if (!target_name_is_valid(value))
                return fail(p, s,
                            "\"%s\" is \"%.64s\"; expected one to %d of a-z 0-9 . _ -, a letter or digit first, "
                            "and not \"" TARGET_HOST "\"",
                            def->name, value, TARGET_NAME_MAX);
        memcpy(dest, value, strlen(value) + 1);
        return 0;
}

static int parse_grab_toggle(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        static const char expected[] = "\"ctrl-ctrl\", \"alt-alt\", \"shift-shift\" or \"meta-meta\"";
        const char *value = config_setting_get_string(s);
        enum grab_toggle t;

        if (!value)
                return fail_type(p, def, s, expected);
        t = grab_toggle_from_string(value);
        if (t == GRAB_TOGGLE_INVALID)
                return fail(p, s, "\"%s\" is \"%.64s\"; expected %s", def->name, value, expected);
        *(enum grab_toggle *) dest = t;
        return 0;
}

/* Hotkeys. */

#define HOTKEY_EXPECTED "one to three different keys, or the same key twice"

/* Its keys are all down during the panic chord. A double tap never happens then. */
static bool hotkey_is_in_panic(const struct hotkey *h)
{
        for (unsigned i = 0; i < h->n_keys; i++) {
                bool found = false;

                for (unsigned k = 0; k < HOTKEY_PANIC.n_keys; k++)
                        found |= h->keys[i] == HOTKEY_PANIC.keys[k];
                if (!found)
                        return false;
        }
        return h->n_keys > 0 && !h->double_tap;
}

static int parse_hotkey_keys(struct parse *p, const struct setting *def, config_setting_t *s, unsigned n,
                             struct hotkey *ret)
{
        const char *names[HOTKEY_KEYS_MAX];
        unsigned bad;

        for (unsigned i = 0; i < n; i++) {
                const config_setting_t *key = config_setting_get_elem(s, i);

                names[i] = config_setting_get_string(key);
                if (!names[i])
                        return fail_type(p, def, key, "names of keys as strings, such as \"leftctrl\"");
        }
        if (hotkey_parse(names, n, ret, &bad) >= 0)
                return 0;
        if (bad < n)
                return fail(p, config_setting_get_elem(s, bad),
                            "unknown key \"%.64s\" in \"%s\"; expected a name such as \"leftctrl\", \"f12\" or "
                            "\"btn_side\"",
                            names[bad], def->name);
        return fail(p, s, "the keys of \"%s\" do not go together; expected " HOTKEY_EXPECTED, def->name);
}

static int parse_hotkey(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        struct hotkey h = { 0 };
        unsigned n;
        int r;

        if (!config_setting_is_array(s) && !config_setting_is_list(s))
                return fail_type(p, def, s, "an array of keys, such as [ \"leftctrl\", \"rightctrl\" ]");
        n = (unsigned) config_setting_length(s);
        if (n > HOTKEY_KEYS_MAX)
                return fail(p, s, "\"%s\" has %u keys; expected " HOTKEY_EXPECTED, def->name, n);
        if (n > 0) {
                r = parse_hotkey_keys(p, def, s, n, &h);
                if (r < 0)
                        return r;
        }
        if (hotkey_is_in_panic(&h))
                return fail(p, s,
                            "\"%s\" is part of the panic chord backspace+esc+enter; expected a key that is not in it",
                            def->name);
        *(struct hotkey *) dest = h;
        return 0;
}

/* Groups and lists of groups. */

static const struct setting *table_find(const struct table *t, const char *name)
{
        for (size_t i = 0; i < t->n; i++)
                if (streq(t->settings[i].name, name))
                        return &t->settings[i];
        return NULL;
}

static int parse_members(struct parse *p, const struct table *t, config_setting_t *s, void *base)
{
        for (unsigned i = 0; i < (unsigned) config_setting_length(s); i++) {
                config_setting_t *member = config_setting_get_elem(s, i);
                const struct setting *def = table_find(t, config_setting_name(member));
                int r;

                if (!def)
                        return fail_unknown(p, t, member);
                r = def->parse(p, def, member, (char *) base + def->offset);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int parse_group(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        if (!config_setting_is_group(s))
                return fail_type(p, def, s, "a group, { ... }");
        return parse_members(p, def->group, s, dest);
}

static int parse_element(struct parse *p, const struct setting *def, config_setting_t *s, void *item)
{
        int r;

        if (!config_setting_is_group(s))
                return fail_type(p, def, s, "a list of groups, ( { ... }, { ... } )");
        r = parse_members(p, &def->element->table, s, item);
        if (r < 0)
                return r;
        return def->element->check(p, s, item);
}

/* The array belongs to the configuration before it is filled, so that
 * config_free() finds it on every way out. */
static int parse_list(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        const struct element *element = def->element;
        unsigned n;
        char *items;

        if (!config_setting_is_list(s))
                return fail_type(p, def, s, "a list of groups, ( { ... }, { ... } )");
        n = (unsigned) config_setting_length(s);
        if (n > def->max)
                return fail(p, s, "\"%s\" has %u elements; expected at most %u", def->name, n, def->max);

        items = xcalloc(n, element->size);
        *(void **) dest = items;
        *(unsigned *) (void *) ((char *) p->config + element->offset_n) = n;
        for (unsigned i = 0; i < n; i++, items += element->size) {
                int r;

                element->init(items);
                r = parse_element(p, def, config_setting_get_elem(s, i), items);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void match_init(void *item)
{
        *(struct device_match *) item = (struct device_match) { .vendor = -1, .product = -1 };
}

static int match_check(struct parse *p, config_setting_t *s, const void *item)
{
        const struct device_match *m = item;

        if (!m->name && !m->phys && m->vendor < 0 && m->product < 0)
                return fail(p, s,
                            "empty group, which would match every device; expected \"name\", \"phys\", \"vendor\" "
                            "or \"product\" in it");
        return 0;
}

static void guest_init(void *item)
{
        *(struct guest_config *) item = (struct guest_config) {
                .grab_toggle = GRAB_TOGGLE_META_META,
                .timeout_ms = CONFIG_TIMEOUT_MS_DEFAULT,
        };
}

/* Compares with the guests in front of it. */
static int guest_check(struct parse *p, config_setting_t *s, const void *item)
{
        const struct guest_config *g = item;

        if (!*g->name)
                return fail(p, s, "guest without a name; expected name = \"...\"");
        for (const struct guest_config *other = p->config->guests; other < g; other++) {
                if (streq(other->name, g->name))
                        return fail(p, config_setting_get_member(s, "name"),
                                    "there is a guest \"%s\" already; expected a name of its own", g->name);
                if (g->qmp && streq_null(other->qmp, g->qmp))
                        return fail(p, config_setting_get_member(s, "qmp"),
                                    "\"qmp\" is that of guest \"%s\" too; expected a socket of its own", other->name);
        }
        return 0;
}

/* The tables. */

#define PATTERN_LENGTH_MAX 255
#define USER_LENGTH_MAX 255
#define DEVICES_MAX 256
#define SOCKET_PATH_LENGTH_MAX (sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1)
#define AT(type, field) .offset = offsetof(struct type, field)

static const struct setting match_settings[] = {
        { "name", parse_string, AT(device_match, name), .max = PATTERN_LENGTH_MAX },
        { "phys", parse_string, AT(device_match, phys), .max = PATTERN_LENGTH_MAX },
        { "vendor", parse_number, AT(device_match, vendor), .min = 0, .max = UINT16_MAX },
        { "product", parse_number, AT(device_match, product), .min = 0, .max = UINT16_MAX },
};

static const struct element only_element = {
        .table = { match_settings, ARRAY_SIZE(match_settings) },
        .size = sizeof(struct device_match),
        .offset_n = offsetof(struct config, n_only),
        .init = match_init,
        .check = match_check,
};

static const struct element ignore_element = {
        .table = { match_settings, ARRAY_SIZE(match_settings) },
        .size = sizeof(struct device_match),
        .offset_n = offsetof(struct config, n_ignore),
        .init = match_init,
        .check = match_check,
};

static const struct setting devices_settings[] = {
        { "only", parse_list, AT(config, only), .max = DEVICES_MAX, .element = &only_element },
        { "ignore", parse_list, AT(config, ignore), .max = DEVICES_MAX, .element = &ignore_element },
};

static const struct table devices_table = { devices_settings, ARRAY_SIZE(devices_settings) };

static const struct setting guest_settings[] = {
        { "name", parse_name, AT(guest_config, name) },
        { "qmp", parse_path, AT(guest_config, qmp), .max = SOCKET_PATH_LENGTH_MAX },
        { "user", parse_string, AT(guest_config, user), .max = USER_LENGTH_MAX },
        { "toggle", parse_hotkey, AT(guest_config, toggle) },
        { "grab-toggle", parse_grab_toggle, AT(guest_config, grab_toggle) },
        { "focus-on-start", parse_bool, AT(guest_config, focus_on_start) },
        { "timeout-ms", parse_number, AT(guest_config, timeout_ms), .min = 100, .max = 60000 },
};

static const struct element guest_element = {
        .table = { guest_settings, ARRAY_SIZE(guest_settings) },
        .size = sizeof(struct guest_config),
        .offset_n = offsetof(struct config, n_guests),
        .init = guest_init,
        .check = guest_check,
};

static const struct setting root_settings[] = {
        { "toggle", parse_hotkey, AT(config, toggle) },
        { "next", parse_hotkey, AT(config, next) },
        { "host", parse_hotkey, AT(config, host) },
        { "double-tap-ms", parse_number, AT(config, double_tap_ms), .min = 50, .max = 2000 },
        { "grab-wait-ms", parse_number, AT(config, grab_wait_ms), .min = 0, .max = 60000 },
        { "devices", parse_group, .offset = 0, .group = &devices_table },
        { "guests", parse_list, AT(config, guests), .max = CONFIG_GUESTS_MAX, .element = &guest_element },
};

static const struct table root_table = { root_settings, ARRAY_SIZE(root_settings) };

static void for_each_in(const struct table *t, const char *group, config_setting_fn fn, void *userdata)
{
        for (size_t i = 0; i < t->n; i++) {
                const struct setting *def = &t->settings[i];
                const struct table *inner = def->element ? &def->element->table : def->group;
                _autofree_ char *path = xasprintf("%s%s%s", group, *group ? "." : "", def->name);

                fn(group, def->name, userdata);
                if (inner)
                        for_each_in(inner, path, fn, userdata);
        }
}

void config_for_each_setting(config_setting_fn fn, void *userdata)
{
        for_each_in(&root_table, "", fn, userdata);
}

/* No hotkey twice. */

struct hotkey_use {
        const struct hotkey *hotkey;
        const config_setting_t *setting; /* NULL: the default */
        char owner[TARGET_NAME_MAX + 32]; /* "toggle" of guest "x" */
};

static int check_hotkey(struct parse *p, const struct hotkey_use *u, const struct hotkey_use *others, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (u->hotkey->n_keys > 0 && hotkey_equal(u->hotkey, others[i].hotkey))
                        return fail(p, u->setting ? u->setting : others[i].setting,
                                    "%s and %s are the same hotkey; expected different ones", others[i].owner,
                                    u->owner);
        return 0;
}

/* Only "toggle", the first, can be a default that is not empty. Hence of two
 * that are equal the later one is in the file. */
static int check_hotkeys(struct parse *p, const config_setting_t *root)
{
        struct config *c = p->config;
        const config_setting_t *guests = config_setting_get_member(root, "guests");
        struct hotkey_use uses[3 + CONFIG_GUESTS_MAX] = {
                { &c->toggle, config_setting_get_member(root, "toggle"), "\"toggle\"" },
                { &c->next, config_setting_get_member(root, "next"), "\"next\"" },
                { &c->host, config_setting_get_member(root, "host"), "\"host\"" },
        };
        unsigned n = 3;

        for (unsigned i = 0; i < c->n_guests; i++) {
                struct hotkey_use *u = &uses[n++];

                u->hotkey = &c->guests[i].toggle;
                u->setting = config_setting_get_member(config_setting_get_elem(guests, i), "toggle");
                (void) snprintf(u->owner, sizeof(u->owner), "\"toggle\" of guest \"%s\"", c->guests[i].name);
        }
        for (unsigned i = 0; i < n; i++) {
                int r = check_hotkey(p, &uses[i], uses, i);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Reading. */

/* libconfig's own complaints, which do not say what it expected. */
static int fail_libconfig(struct parse *p, const config_t *lc)
{
        static const struct {
                const char *text, *expected;
        } hints[] = {
                { "duplicate setting name", "every setting once in its group" },
                { "mismatched element type in array", "values of one type in [ ]" },
        };
        _autofree_ char *file = file_name(p, config_error_file(lc));
        const char *text = config_error_text(lc);
        const char *expected = "NAME = VALUE; with groups in { }, arrays in [ ] and lists in ( )";

        for (size_t i = 0; text && i < ARRAY_SIZE(hints); i++)
                if (startswith(text, hints[i].text))
                        expected = hints[i].expected;
        p->error = config_message(file, (unsigned) MAX(config_error_line(lc), 0), "%s; expected %s",
                                  text ? text : "syntax error", expected);
        return -EINVAL;
}

static int parse_text(struct parse *p, const char *text)
{
        _cleanup_(config_destroy) config_t lc;
        config_setting_t *root;
        int r;

        config_init(&lc);
        if (p->include_dir)
                config_set_include_dir(&lc, p->include_dir);
        if (!config_read_string(&lc, text))
                return fail_libconfig(p, &lc);
        root = config_root_setting(&lc);
        r = parse_members(p, &root_table, root, p->config);
        if (r < 0)
                return r;
        return check_hotkeys(p, root);
}

static int parse_checked(const char *text, const char *name, const char *include_dir, struct config **ret,
                         char **ret_error)
{
        _cleanup_(config_freep) struct config *c = config_new();
        struct parse p = { .config = c, .name = name, .include_dir = include_dir };
        int r;

        r = parse_text(&p, text);
        if (r < 0) {
                *ret_error = p.error;
                return r;
        }
        *ret = TAKE_PTR(c);
        return 0;
}

int config_parse(const char *text, size_t size, const char *name, const char *include_dir, struct config **ret,
                 char **ret_error)
{
        _autofree_ char *copy = xcalloc(size + 1, 1);
        locale_t c_locale, old;
        int r;

        memcpy(copy, text, size);
        r = config_source_check(copy, size, name, include_dir, ret_error);
        if (r < 0)
                return r;

        /* Names of keys are compared without regard to case, and "i" is not
         * everywhere the small letter of "I". */
        c_locale = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
        old = uselocale(c_locale);
        r = parse_checked(copy, name, include_dir, ret, ret_error);
        (void) uselocale(old);
        freelocale(c_locale);
        return r;
}

/* "/etc" of "/etc/file", "." of "file"; owned by the caller. */
static char *directory_of(const char *path)
{
        const char *slash = strrchr(path, '/');

        if (!slash)
                return xstrdup(".");
        return xasprintf("%.*s", (int) MAX(slash - path, 1), path);
}

int config_load(const char *path, struct config **ret, char **ret_error)
{
        _autofree_ char *text = NULL, *error = NULL, *dir = directory_of(path);
        size_t size;
        int r;

        r = config_source_read(path, &text, &size, &error);
        if (r == -ENOENT && !error) {
                *ret = config_new();
                return 0;
        }
        if (r >= 0)
                r = config_parse(text, size, path, dir, ret, &error);
        if (r < 0)
                *ret_error = TAKE_PTR(error);
        return r;
}

/* The configuration itself. */

struct config *config_new(void)
{
        struct config *c = xnew0(struct config, 1);

        c->toggle = (struct hotkey) { .n_keys = 2, .keys = { KEY_LEFTCTRL, KEY_RIGHTCTRL } };
        c->double_tap_ms = CONFIG_DOUBLE_TAP_MS_DEFAULT;
        c->grab_wait_ms = CONFIG_GRAB_WAIT_MS_DEFAULT;
        return c;
}

static void matches_free(struct device_match *matches, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                free(matches[i].name);
                free(matches[i].phys);
        }
        free(matches);
}

struct config *config_free(struct config *c)
{
        if (!c)
                return NULL;
        matches_free(c->only, c->n_only);
        matches_free(c->ignore, c->n_ignore);
        for (unsigned i = 0; i < c->n_guests; i++) {
                free(c->guests[i].qmp);
                free(c->guests[i].user);
        }
        free(c->guests);
        free(c);
        return NULL;
}

const struct guest_config *config_find_guest(const struct config *c, const char *name)
{
        for (unsigned i = 0; i < c->n_guests; i++)
                if (streq(c->guests[i].name, name))
                        return &c->guests[i];
        return NULL;
}

bool target_name_is_valid(const char *name)
{
        static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
        static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
        size_t n = strlen(name);

        if (n == 0 || n > TARGET_NAME_MAX || streq(name, TARGET_HOST))
                return false;
        return strchr(first, name[0]) && strspn(name, all) == n;
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
