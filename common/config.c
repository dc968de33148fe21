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

/* A value that is one of a few words. */
struct choice {
        const char *expected;
        int (*from_string)(const char *s); /* the value, or negative */
};

/* The elements of a list of groups, which become an array of structs. */
struct element {
        struct table table;
        size_t size;
        void (*init)(void *item);
        int (*check)(struct parse *p, config_setting_t *s, const void *item);
};

struct setting {
        const char *name;
        parse_fn parse;
        size_t offset; /* of the destination in the struct that the table fills */
        unsigned min, max; /* of a number; of the length of a string or list */
        size_t offset_n; /* of a list's length, in struct config */
        const struct choice *choice;
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

static int grab_toggle_value(const char *s)
{
        return grab_toggle_from_string(s);
}

static int route_choice_value(const char *s)
{
        return route_choice_from_string(s);
}

static int adopt_value(const char *s)
{
        return adopt_from_string(s);
}

static const struct choice grab_toggle_choice = {
        .expected = "\"ctrl-ctrl\", \"alt-alt\", \"shift-shift\" or \"meta-meta\"",
        .from_string = grab_toggle_value,
};

static const struct choice route_choice = {
        .expected = "\"auto\", \"attach\", \"grant\" or \"virtio\"",
        .from_string = route_choice_value,
};

static const struct choice adopt_choice = {
        .expected = "\"hostdev\", \"all\" or \"none\"",
        .from_string = adopt_value,
};

/* dest: an enum with a negative value, which makes it an int. */
static int parse_choice(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        const char *value = config_setting_get_string(s);
        int choice;

        if (!value)
                return fail_type(p, def, s, def->choice->expected);
        choice = def->choice->from_string(value);
        if (choice < 0)
                return fail(p, s, "\"%s\" is \"%.64s\"; expected %s", def->name, value, def->choice->expected);
        *(int *) dest = choice;
        return 0;
}

/* Hotkeys. */

#define HOTKEY_EXPECTED "one to three different keys, or the same key twice"

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

/* Patterns. */

#define PATTERN_LENGTH_MAX 255

/* As parse_list() does: config_free() finds the array on every way out. */
static int parse_patterns(struct parse *p, const struct setting *def, config_setting_t *s, void *dest)
{
        const struct setting pattern = { def->name, .max = PATTERN_LENGTH_MAX };
        char **patterns;
        unsigned n;

        if (!config_setting_is_array(s) && !config_setting_is_list(s))
                return fail_type(p, def, s, "an array of patterns, such as [ \"win*\" ]");
        n = (unsigned) config_setting_length(s);
        if (n > def->max)
                return fail(p, s, "\"%s\" has %u elements; expected at most %u", def->name, n, def->max);

        patterns = xnew0(char *, n);
        *(char ***) dest = patterns;
        *(unsigned *) (void *) ((char *) p->config + def->offset_n) = n;
        for (unsigned i = 0; i < n; i++) {
                int r = parse_string(p, &pattern, config_setting_get_elem(s, i), &patterns[i]);

                if (r < 0)
                        return r;
        }
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
        *(unsigned *) (void *) ((char *) p->config + def->offset_n) = n;
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
        guest_config_init(item);
}

/* A guest is either a libvirt domain or a QEMU with a socket. */
static int guest_check_kind(struct parse *p, config_setting_t *s, const struct guest_config *g)
{
        const config_setting_t *route = config_setting_get_member(s, "route");

        if (g->qmp && g->domain)
                return fail(p, config_setting_get_member(s, "domain"),
                            "guest \"%s\" has \"qmp\" and \"domain\"; expected one of the two", g->name);
        if (g->qmp && route)
                return fail(p, route, "guest \"%s\" has \"qmp\" and \"route\"; expected one of the two", g->name);
        if (g->user && !g->qmp)
                return fail(p, config_setting_get_member(s, "user"),
                            "guest \"%s\" has \"user\" without \"qmp\"; expected both or neither", g->name);
        return 0;
}

static int guest_check_domain(struct parse *p, config_setting_t *s, const struct guest_config *g,
                              const struct guest_config *other)
{
        const config_setting_t *setting = config_setting_get_member(s, "domain");

        if (!guest_config_same_domain(g, other))
                return 0;
        return fail(p, setting ? setting : s, "domain \"%.64s\" is that of guest \"%s\" too; expected one of its own",
                    guest_config_domain(g), other->name);
}

/* Compares with the guests in front of it. */
static int guest_check(struct parse *p, config_setting_t *s, const void *item)
{
        const struct guest_config *g = item;
        int r;

        if (!*g->name)
                return fail(p, s, "guest without a name; expected name = \"...\"");
        r = guest_check_kind(p, s, g);
        for (const struct guest_config *other = p->config->guests; r >= 0 && other < g; other++) {
                if (streq(other->name, g->name))
                        return fail(p, config_setting_get_member(s, "name"),
                                    "there is a guest \"%s\" already; expected a name of its own", g->name);
                if (g->qmp && streq_null(other->qmp, g->qmp))
                        return fail(p, config_setting_get_member(s, "qmp"),
                                    "\"qmp\" is that of guest \"%s\" too; expected a socket of its own", other->name);
                r = guest_check_domain(p, s, g, other);
        }
        return r;
}

/* The tables. */

#define USER_LENGTH_MAX 255
#define URI_LENGTH_MAX 255
#define DOMAIN_LENGTH_MAX 128
#define DEVICES_MAX 256
#define PATTERNS_MAX 256
#define SOCKET_PATH_LENGTH_MAX (sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1)
#define AT(type, field) .offset = offsetof(struct type, field)
#define AT_LIST(field, n) AT(config, field), .offset_n = offsetof(struct config, n)

static const struct setting match_settings[] = {
        { "name", parse_string, AT(device_match, name), .max = PATTERN_LENGTH_MAX },
        { "phys", parse_string, AT(device_match, phys), .max = PATTERN_LENGTH_MAX },
        { "vendor", parse_number, AT(device_match, vendor), .min = 0, .max = UINT16_MAX },
        { "product", parse_number, AT(device_match, product), .min = 0, .max = UINT16_MAX },
};

static const struct element match_element = {
        .table = { match_settings, ARRAY_SIZE(match_settings) },
        .size = sizeof(struct device_match),
        .init = match_init,
        .check = match_check,
};

static const struct setting devices_settings[] = {
        { "only", parse_list, AT_LIST(only, n_only), .max = DEVICES_MAX, .element = &match_element },
        { "ignore", parse_list, AT_LIST(ignore, n_ignore), .max = DEVICES_MAX, .element = &match_element },
};

static const struct table devices_table = { devices_settings, ARRAY_SIZE(devices_settings) };

static const struct setting libvirt_settings[] = {
        { "uri", parse_string, AT(config, libvirt.uri), .max = URI_LENGTH_MAX },
        { "adopt", parse_choice, AT(config, libvirt.adopt), .choice = &adopt_choice },
        { "only", parse_patterns, AT_LIST(libvirt.only, libvirt.n_only), .max = PATTERNS_MAX },
        { "ignore", parse_patterns, AT_LIST(libvirt.ignore, libvirt.n_ignore), .max = PATTERNS_MAX },
};

static const struct table libvirt_table = { libvirt_settings, ARRAY_SIZE(libvirt_settings) };

static const struct setting guest_settings[] = {
        { "name", parse_name, AT(guest_config, name) },
        { "domain", parse_string, AT(guest_config, domain), .max = DOMAIN_LENGTH_MAX },
        { "route", parse_choice, AT(guest_config, route), .choice = &route_choice },
        { "qmp", parse_path, AT(guest_config, qmp), .max = SOCKET_PATH_LENGTH_MAX },
        { "user", parse_string, AT(guest_config, user), .max = USER_LENGTH_MAX },
        { "toggle", parse_hotkey, AT(guest_config, toggle) },
        { "grab-toggle", parse_choice, AT(guest_config, grab_toggle), .choice = &grab_toggle_choice },
        { "focus-on-start", parse_bool, AT(guest_config, focus_on_start) },
        { "timeout-ms", parse_number, AT(guest_config, timeout_ms), .min = CONFIG_TIMEOUT_MS_MIN,
          .max = CONFIG_TIMEOUT_MS_MAX },
};

static const struct element guest_element = {
        .table = { guest_settings, ARRAY_SIZE(guest_settings) },
        .size = sizeof(struct guest_config),
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
        { "libvirt", parse_group, .offset = 0, .group = &libvirt_table },
        { "guests", parse_list, AT_LIST(guests, n_guests), .max = CONFIG_GUESTS_MAX, .element = &guest_element },
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

static void strings_free(char **strings, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                free(strings[i]);
        free(strings);
}

struct config *config_free(struct config *c)
{
        if (!c)
                return NULL;
        matches_free(c->only, c->n_only);
        matches_free(c->ignore, c->n_ignore);
        free(c->libvirt.uri);
        strings_free(c->libvirt.only, c->libvirt.n_only);
        strings_free(c->libvirt.ignore, c->libvirt.n_ignore);
        for (unsigned i = 0; i < c->n_guests; i++)
                guest_config_clear(&c->guests[i]);
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
