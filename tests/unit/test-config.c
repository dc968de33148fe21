/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/config-source.h"
#include "common/config.h"

/* Helpers. */

/* The configuration in text, owned by the caller; NULL with *ret_error. */
static struct config *parse(const char *text, char **ret_error)
{
        struct config *c = NULL;
        int r;

        *ret_error = NULL;
        r = config_parse(text, strlen(text), "t.conf", NULL, &c, ret_error);
        assert_int_equal(r < 0, !c);
        assert_int_equal(r < 0, !!*ret_error);
        return c;
}

static struct config *parse_good(const char *text)
{
        _autofree_ char *error = NULL;
        struct config *c = parse(text, &error);

        if (error)
                fail_msg("%s", error);
        return c;
}

static void assert_mistake(const char *text, const char *expected)
{
        _autofree_ char *error = NULL;
        _cleanup_(config_freep) struct config *c = parse(text, &error);

        if (c)
                fail_msg("accepted: %s", text);
        assert_string_equal(error, expected);
        assert_non_null(strstr(error, "; expected "));
}

/* A directory with one file after the other in it. */
static char directory[64];

static char *in_directory(const char *name)
{
        return xasprintf("%s/%s", directory, name);
}

static void write_file(const char *name, const char *text, size_t size)
{
        _autofree_ char *path = in_directory(name);
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        assert_int_equal(fwrite(text, 1, size, f), size);
        assert_int_equal(fclose(f), 0);
}

static void remove_file(const char *name)
{
        _autofree_ char *path = in_directory(name);

        assert_int_equal(unlink(path), 0);
}

/* expected: the message, in front of which the directory belongs. */
static void assert_load_fails(const char *name, int expected_errno, const char *expected)
{
        _autofree_ char *path = in_directory(name), *error = NULL, *full = in_directory(expected + 1);
        struct config *const running = config_new();
        struct config *c = running;

        assert_int_equal(config_load(path, &c, &error), expected_errno);
        assert_non_null(error);
        assert_string_equal(error, full);
        assert_ptr_equal(c, running);
        (void) config_free(running);
}

static void assert_hotkey(const struct hotkey *h, const char *expected)
{
        char names[HOTKEY_KEYS_MAX][HOTKEY_NAME_SIZE], text[HOTKEY_KEYS_MAX * HOTKEY_NAME_SIZE + 1] = "";
        unsigned n = hotkey_format(h, names);

        for (unsigned i = 0; i < n; i++) {
                strcat(text, i ? "+" : "");
                strcat(text, names[i]);
        }
        assert_string_equal(text, expected);
}

static void assert_defaults(const struct config *c)
{
        assert_hotkey(&c->toggle, "leftctrl+rightctrl");
        assert_hotkey(&c->next, "");
        assert_hotkey(&c->host, "");
        assert_int_equal(c->double_tap_ms, 300);
        assert_int_equal(c->grab_wait_ms, 3000);
        assert_string_equal(c->libvirt.uri ? c->libvirt.uri : LIBVIRT_URI_DEFAULT, "qemu:///system");
        assert_int_equal(c->libvirt.adopt, ADOPT_HOSTDEV);
}

static void assert_no_lists(const struct config *c)
{
        assert_int_equal(c->n_only, 0);
        assert_int_equal(c->n_ignore, 0);
        assert_int_equal(c->libvirt.n_only, 0);
        assert_int_equal(c->libvirt.n_ignore, 0);
        assert_int_equal(c->n_guests, 0);
}

static void assert_guest_defaults(const struct guest_config *g)
{
        assert_int_equal(g->route, ROUTE_AUTO);
        assert_hotkey(&g->toggle, "");
        assert_int_equal(g->grab_toggle, GRAB_TOGGLE_META_META);
        assert_false(g->focus_on_start);
        assert_int_equal(g->timeout_ms, 1000);
}

/* Good configurations. */

static void test_defaults(void **state)
{
        static const char *const texts[] = {
                "",
                "\n\n",
                "# nothing\n// nothing\n/* toggle = 5; */",
                "guests = ( ); devices = { };",
                "devices = { only = ( ); ignore = ( ); };",
                "libvirt = { }; guests = ( );",
                "libvirt = { only = [ ]; ignore = ( ); };",
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                _cleanup_(config_freep) struct config *c = parse_good(texts[i]);

                assert_defaults(c);
                assert_no_lists(c);
        }
}

static void test_top_level(void **state)
{
        _cleanup_(config_freep) struct config *c = parse_good("toggle = [ \"scrolllock\", \"scrolllock\" ];\n"
                                                              "next = ( \"KEY_LEFTMETA\", \"f1\", \"BTN_SIDE\" );\n"
                                                              "host : [ \"pause\" ]\n"
                                                              "double-tap-ms = 500L;\n"
                                                              "grab-wait-ms = 0;\n");

        assert_hotkey(&c->toggle, "scrolllock+scrolllock");
        assert_true(c->toggle.double_tap);
        assert_hotkey(&c->next, "leftmeta+f1+btn_side");
        assert_hotkey(&c->host, "pause");
        assert_int_equal(c->double_tap_ms, 500);
        assert_int_equal(c->grab_wait_ms, 0);
        assert_no_lists(c);
}

static void test_no_hotkey(void **state)
{
        _cleanup_(config_freep) struct config *c = parse_good("toggle = [ ]; next = ( ); host = [ ];");

        assert_int_equal(c->toggle.n_keys, 0);
        assert_int_equal(c->next.n_keys, 0);
        assert_int_equal(c->host.n_keys, 0);
}

static void test_devices(void **state)
{
        _cleanup_(config_freep) struct config *c =
                parse_good("devices = { only = ( { name = \"K*\"; phys = \"usb-*\"; vendor = 0x046d; "
                           "product = 0xC52B; }, { product = 0; } ); ignore = ( { name = \"Power Button\"; } ); };");

        assert_int_equal(c->n_only, 2);
        assert_string_equal(c->only[0].name, "K*");
        assert_string_equal(c->only[0].phys, "usb-*");
        assert_int_equal(c->only[0].vendor, 0x046d);
        assert_int_equal(c->only[0].product, 0xc52b);
        assert_null(c->only[1].name);
        assert_null(c->only[1].phys);
        assert_int_equal(c->only[1].vendor, -1);
        assert_int_equal(c->only[1].product, 0);
        assert_int_equal(c->n_ignore, 1);
        assert_string_equal(c->ignore[0].name, "Power Button");
        assert_int_equal(c->ignore[0].vendor, -1);
}

static void test_guests(void **state)
{
        _cleanup_(config_freep) struct config *c =
                parse_good("guests = ( { name = \"win11\"; qmp = \"/run/q.sock\"; user = \"desk\"; toggle = [ \"f5\" ];"
                           "grab-toggle = \"ctrl-ctrl\"; focus-on-start = true; timeout-ms = 100; }, "
                           "{ name = \"0.a_b-\"; } );");
        const struct guest_config *g = config_find_guest(c, "win11");

        assert_int_equal(c->n_guests, 2);
        assert_ptr_equal(g, &c->guests[0]);
        assert_string_equal(g->qmp, "/run/q.sock");
        assert_string_equal(g->user, "desk");
        assert_hotkey(&g->toggle, "f5");
        assert_int_equal(g->grab_toggle, GRAB_TOGGLE_CTRL_CTRL);
        assert_true(g->focus_on_start);
        assert_int_equal(g->timeout_ms, 100);

        g = config_find_guest(c, "0.a_b-");
        assert_ptr_equal(g, &c->guests[1]);
        assert_null(g->qmp);
        assert_null(g->user);
        assert_guest_defaults(g);
        assert_null(config_find_guest(c, "win1"));
}

static void test_libvirt(void **state)
{
        _cleanup_(config_freep) struct config *c =
                parse_good("libvirt = { uri = \"qemu:///session\"; adopt = \"all\"; only = [ \"win*\", \"lab-?\" ];"
                           "ignore = ( \"test-*\" ); };");

        assert_string_equal(c->libvirt.uri, "qemu:///session");
        assert_int_equal(c->libvirt.adopt, ADOPT_ALL);
        assert_int_equal(c->libvirt.n_only, 2);
        assert_string_equal(c->libvirt.only[0], "win*");
        assert_string_equal(c->libvirt.only[1], "lab-?");
        assert_int_equal(c->libvirt.n_ignore, 1);
        assert_string_equal(c->libvirt.ignore[0], "test-*");
}

#define UUID "0a1b2c3d-0000-4000-8000-00000000abcd"

static void test_domains(void **state)
{
        _cleanup_(config_freep) struct config *c =
                parse_good("guests = ( { name = \"a\"; domain = \"Windows 11\"; route = \"virtio\"; }, "
                           "{ name = \"b\"; domain = \"" UUID "\"; }, { name = \"c\"; }, "
                           "{ name = \"d\"; qmp = \"/q\"; }, "
                           "{ name = \"e\"; domain = \"windows 11\"; }, { name = \"f\"; domain = \"d\"; } );");
        const struct guest_config *g = c->guests;

        assert_string_equal(g[0].domain, "Windows 11");
        assert_int_equal(g[0].route, ROUTE_VIRTIO);
        assert_string_equal(guest_config_domain(&g[0]), "Windows 11");
        assert_string_equal(guest_config_domain(&g[1]), UUID);
        assert_null(g[2].domain);
        assert_string_equal(guest_config_domain(&g[2]), "c");
        assert_guest_defaults(&g[2]);
        assert_null(guest_config_domain(&g[3]));
}

/* guest_config_equal() sees a difference in each field, and a copy owns what it has. */
static void test_guest_config(void **state)
{
        static const char *const others[] = {
                "name = \"h\"; domain = \"d\";",
                "name = \"g\"; domain = \"e\";",
                "name = \"g\";",
                "name = \"g\"; qmp = \"/q\";",
                "name = \"g\"; qmp = \"/q\"; user = \"u\";",
                "name = \"g\"; domain = \"d\"; route = \"grant\";",
                "name = \"g\"; domain = \"d\"; toggle = [ \"f1\" ];",
                "name = \"g\"; domain = \"d\"; grab-toggle = \"alt-alt\";",
                "name = \"g\"; domain = \"d\"; focus-on-start = true;",
                "name = \"g\"; domain = \"d\"; timeout-ms = 999;",
                "name = \"g\"; domain = \"d\";",
        };
        struct guest_config copies[ARRAY_SIZE(others)];

        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                _autofree_ char *text = xasprintf("guests = ( { %s } );", others[i]);
                _cleanup_(config_freep) struct config *c = parse_good(text);

                guest_config_copy(&copies[i], &c->guests[0]);
                assert_true(guest_config_equal(&copies[i], &c->guests[0]));
        }
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                for (size_t k = 0; k < ARRAY_SIZE(others); k++)
                        assert_int_equal(guest_config_equal(&copies[i], &copies[k]), i == k);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                guest_config_clear(&copies[i]);
        assert_null(copies[4].user);

        guest_config_init(&copies[0]);
        assert_string_equal(copies[0].name, "");
        assert_guest_defaults(&copies[0]);
        guest_config_clear(&copies[0]);
}

/* Hotkeys that are near to a mistake and none. */
static void test_similar_hotkeys(void **state)
{
        static const char *const texts[] = {
                "toggle = [ \"f1\" ]; next = [ \"f1\", \"f1\" ];",
                "toggle = [ \"f1\", \"f2\" ]; next = [ \"f1\", \"f3\" ];",
                "toggle = [ ]; next = [ ]; guests = ( { name = \"a\"; }, { name = \"b\"; toggle = [ ]; } );",
                "toggle = [ \"esc\", \"esc\" ];",
                "toggle = [ \"esc\", \"f1\" ];",
                "toggle = [ \"backspace\", \"esc\", \"kpenter\" ];",
                "toggle = [ \"f1\" ]; next = [ \"leftctrl\", \"rightctrl\" ];",
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                (void) config_free(parse_good(texts[i]));
}

/* Mistakes. */

#define KEYS "an array of keys, such as [ \"leftctrl\", \"rightctrl\" ]"
#define COMBINATION "one to three different keys, or the same key twice"
#define GUEST(members) "guests = ( { name = \"a\"; " members " } );"
#define NAME_RULE "one to 32 of a-z 0-9 . _ -, a letter or digit first, and not \"host\""
#define KEY_NAME "a name such as \"leftctrl\", \"f12\" or \"btn_side\""
#define GRAB_TOGGLES "\"ctrl-ctrl\", \"alt-alt\", \"shift-shift\" or \"meta-meta\""
#define DIFFERENT "are the same hotkey; expected different ones"
#define SYNTAX "NAME = VALUE; with groups in { }, arrays in [ ] and lists in ( )"
#define PATTERNS "an array of patterns, such as [ \"win*\" ]"
#define LIBVIRT(members) "libvirt = { " members " };"
#define TWO(a, b) "guests = ( { name = \"a\"; " a " },\n{ name = \"b\";\n" b " } );"
#define OF_A_TOO "is that of guest \"a\" too; expected one of its own"
#define GROUPS "a list of groups, ( { ... }, { ... } )"

static const struct mistake {
        const char *text, *expected;
} mistakes[] = {
        /* unknown settings, at every level */
        { "\ntogle = [ ];", "t.conf:2: unknown setting \"togle\"; expected \"toggle\"" },
        { "double_tap_ms = 5;", "t.conf:1: unknown setting \"double_tap_ms\"; expected \"double-tap-ms\"" },
        { "Guests = ( );", "t.conf:1: unknown setting \"Guests\"; expected \"guests\"" },
        { "quite-something-else = 5;",
          "t.conf:1: unknown setting \"quite-something-else\"; expected \"toggle\" or \"next\" or \"host\" or "
          "\"double-tap-ms\" or \"grab-wait-ms\" or \"devices\" or \"libvirt\" or \"guests\"" },
        { "devices = {\n\n onyl = ( ); };", "t.conf:3: unknown setting \"onyl\"; expected \"only\"" },
        { "devices = { only = ( {\n pyhs = \"x\"; } ); };", "t.conf:2: unknown setting \"pyhs\"; expected \"phys\"" },
        { GUEST("\ntimeout = 5;"),
          "t.conf:2: unknown setting \"timeout\"; expected \"timeout-ms\"" },
        { LIBVIRT("\nadobt = \"all\";"), "t.conf:2: unknown setting \"adobt\"; expected \"adopt\"" },
        /* wrong types */
        { "toggle = \"leftctrl\";", "t.conf:1: \"toggle\" is a string; expected " KEYS },
        { "\n\nnext = 5;", "t.conf:3: \"next\" is a number; expected " KEYS },
        { "host = { };", "t.conf:1: \"host\" is a group; expected " KEYS },
        { "toggle = [ 1, 2 ];",
          "t.conf:1: \"toggle\" contains a number; expected names of keys as strings, such as \"leftctrl\"" },
        { "toggle = ( \"a\",\n ( ) );",
          "t.conf:2: \"toggle\" contains a list; expected names of keys as strings, such as \"leftctrl\"" },
        { "double-tap-ms = \"300\";",
          "t.conf:1: \"double-tap-ms\" is a string; expected a whole number from 50 to 2000" },
        { "double-tap-ms = 0.5;",
          "t.conf:1: \"double-tap-ms\" is a fraction; expected a whole number from 50 to 2000" },
        { "grab-wait-ms = true;", "t.conf:1: \"grab-wait-ms\" is a boolean; expected a whole number from 0 to 60000" },
        { "devices = ( );", "t.conf:1: \"devices\" is a list; expected a group, { ... }" },
        { "devices = { only = { }; };", "t.conf:1: \"only\" is a group; expected " GROUPS },
        { "devices = { only = (\n\"x\" ); };", "t.conf:2: \"only\" contains a string; expected " GROUPS },
        { "devices = { only = ( { name = 5; } ); };", "t.conf:1: \"name\" is a number; expected a string" },
        { "devices = { only = ( { vendor = \"046d\"; } ); };",
          "t.conf:1: \"vendor\" is a string; expected a whole number from 0 to 65535" },
        { "guests = [ ];", "t.conf:1: \"guests\" is an array; expected " GROUPS },
        { "guests = ( 5 );", "t.conf:1: \"guests\" contains a number; expected " GROUPS },
        { "guests = ( { name = 5; } );", "t.conf:1: \"name\" is a number; expected a string" },
        { GUEST("qmp = true;"), "t.conf:1: \"qmp\" is a boolean; expected a string" },
        { "libvirt = ( );", "t.conf:1: \"libvirt\" is a list; expected a group, { ... }" },
        { LIBVIRT("uri = 5;"), "t.conf:1: \"uri\" is a number; expected a string" },
        { LIBVIRT("adopt = true;"), "t.conf:1: \"adopt\" is a boolean; expected \"hostdev\", \"all\" or \"none\"" },
        { LIBVIRT("only = \"win*\";"), "t.conf:1: \"only\" is a string; expected " PATTERNS },
        { LIBVIRT("ignore = ( \"a\",\n5 );"), "t.conf:2: \"ignore\" contains a number; expected a string" },
        { GUEST("domain = 1;"), "t.conf:1: \"domain\" is a number; expected a string" },
        { GUEST("route = 1;"),
          "t.conf:1: \"route\" is a number; expected \"auto\", \"attach\", \"grant\" or \"virtio\"" },
        { GUEST("user = 1000;"), "t.conf:1: \"user\" is a number; expected a string" },
        { GUEST("focus-on-start = 1;"), "t.conf:1: \"focus-on-start\" is a number; expected true or false" },
        { GUEST("grab-toggle = [ ];"), "t.conf:1: \"grab-toggle\" is an array; expected " GRAB_TOGGLES },
        /* values */
        { GUEST("grab-toggle = \"scrolllock\";"),
          "t.conf:1: \"grab-toggle\" is \"scrolllock\"; expected " GRAB_TOGGLES },
        { LIBVIRT("adopt = \"some\";"),
          "t.conf:1: \"adopt\" is \"some\"; expected \"hostdev\", \"all\" or \"none\"" },
        { LIBVIRT("only = [ \"a\",\n\"\" ];"), "t.conf:2: \"only\" is empty; expected one to 255 characters" },
        { GUEST("domain = \"\";"), "t.conf:1: \"domain\" is empty; expected one to 128 characters" },
        { GUEST("route = \"Auto\";"),
          "t.conf:1: \"route\" is \"Auto\"; expected \"auto\", \"attach\", \"grant\" or \"virtio\"" },
        { GUEST("user = \"\";"), "t.conf:1: \"user\" is empty; expected one to 255 characters" },
        { GUEST("qmp = \"run/q\";"), "t.conf:1: \"qmp\" is \"run/q\"; expected an absolute path, /..." },
        { GUEST("qmp = \"\";"), "t.conf:1: \"qmp\" is \"\"; expected an absolute path, /..." },
        { "devices = {\nonly = (\n{ } ); };", "t.conf:3: empty group, which would match every device; expected "
                                              "\"name\", \"phys\", \"vendor\" or \"product\" in it" },
        { "grab-wait-ms =\n4294967596;", "t.conf:2: number too large; expected one up to 2147483647" },
        { "grab-wait-ms = 0xffffffffffffffffff;", "t.conf:1: number too large; expected one up to 2147483647" },
        /* hotkeys */
        { "toggle = [ \"leftctrl\",\n\"nokey\" ];",
          "t.conf:2: unknown key \"nokey\" in \"toggle\"; expected " KEY_NAME },
        { "next = [ \"\\x1b[31m\\xff\" ];",
          "t.conf:1: unknown key \"?[31m?\" in \"next\"; expected " KEY_NAME },
        { "toggle = [ \"f1\", \"f2\", \"f3\", \"f4\" ];", "t.conf:1: \"toggle\" has 4 keys; expected " COMBINATION },
        { "toggle = [ \"f1\", \"f1\", \"f2\" ];",
          "t.conf:1: the keys of \"toggle\" do not go together; expected " COMBINATION },
        { "\nhost = [ \"esc\" ];",
          "t.conf:2: \"host\" is part of the panic chord backspace+esc+enter; expected a key that is not in it" },
        { "next = [ \"enter\", \"backspace\" ];",
          "t.conf:1: \"next\" is part of the panic chord backspace+esc+enter; expected a key that is not in it" },
        { "toggle = [ \"enter\", \"esc\", \"backspace\" ];",
          "t.conf:1: \"toggle\" is part of the panic chord backspace+esc+enter; expected a key that is not in it" },
        { GUEST("toggle = [ \"enter\" ];"),
          "t.conf:1: \"toggle\" is part of the panic chord backspace+esc+enter; expected a key that is not in it" },
        /* the same twice */
        { "host = [ \"f1\" ];\nnext = [ \"f1\" ];",
          "t.conf:1: \"next\" and \"host\" " DIFFERENT },
        { "toggle = [ \"f1\", \"f2\" ];\nnext = [ \"f2\", \"f1\" ];",
          "t.conf:2: \"toggle\" and \"next\" " DIFFERENT },
        { "\n\nhost = [ \"rightctrl\", \"leftctrl\" ];",
          "t.conf:3: \"toggle\" and \"host\" " DIFFERENT },
        { GUEST("\ntoggle = [ \"leftctrl\", \"rightctrl\" ];"),
          "t.conf:2: \"toggle\" and \"toggle\" of guest \"a\" " DIFFERENT },
        { "guests = ( { name = \"a\"; toggle = [ \"f1\", \"f1\" ]; },\n"
          "{ name = \"b\"; toggle = [ \"f1\", \"f1\" ]; } );",
          "t.conf:2: \"toggle\" of guest \"a\" and \"toggle\" of guest \"b\" " DIFFERENT },
        { "guests = ( { name = \"a\"; },\n{ domain = \"b\";\nname = \"a\"; } );",
          "t.conf:3: there is a guest \"a\" already; expected a name of its own" },
        { "guests = ( { name = \"a\"; qmp = \"/q\"; },\n{ name = \"b\";\nqmp = \"/q\"; } );",
          "t.conf:3: \"qmp\" is that of guest \"a\" too; expected a socket of its own" },
        /* domain or QEMU */
        { GUEST("qmp = \"/q\";\ndomain = \"d\";"),
          "t.conf:2: guest \"a\" has \"qmp\" and \"domain\"; expected one of the two" },
        { GUEST("\nroute = \"auto\"; qmp = \"/q\";"),
          "t.conf:2: guest \"a\" has \"qmp\" and \"route\"; expected one of the two" },
        { GUEST("\nuser = \"u\";"),
          "t.conf:2: guest \"a\" has \"user\" without \"qmp\"; expected both or neither" },
        { GUEST("\nuser = \"u\"; domain = \"d\";"),
          "t.conf:2: guest \"a\" has \"user\" without \"qmp\"; expected both or neither" },
        /* a domain twice */
        { TWO("domain = \"d\";", "domain = \"d\";"), "t.conf:3: domain \"d\" " OF_A_TOO },
        { TWO("", "domain = \"a\";"), "t.conf:3: domain \"a\" " OF_A_TOO },
        { TWO("domain = \"b\";", ""), "t.conf:2: domain \"b\" " OF_A_TOO },
        { TWO("domain = \"0a1B2c3d-0000-4000-8000-00000000abCD\";", "domain = \"" UUID "\";"),
          "t.conf:3: domain \"" UUID "\" " OF_A_TOO },
        /* names */
        { "guests = (\n{ } );", "t.conf:2: guest without a name; expected name = \"...\"" },
        { "guests = ( { name = \"host\"; } );", "t.conf:1: \"name\" is \"host\"; expected " NAME_RULE },
        { "guests = ( { name = \"\"; } );", "t.conf:1: \"name\" is \"\"; expected " NAME_RULE },
        { "guests = ( { name = \"Win11\"; } );", "t.conf:1: \"name\" is \"Win11\"; expected " NAME_RULE },
        { "guests = ( { name = \".a\"; } );", "t.conf:1: \"name\" is \".a\"; expected " NAME_RULE },
        { "guests = ( { name = \"a/b\"; } );", "t.conf:1: \"name\" is \"a/b\"; expected " NAME_RULE },
        { "guests = ( { name = \"abcdefghijklmnopqrstuvwxyz0123456\"; } );",
          "t.conf:1: \"name\" is \"abcdefghijklmnopqrstuvwxyz0123456\"; expected " NAME_RULE },
        /* the text as a whole */
        { "\n@include \"x\"", "t.conf:2: @include is not possible here; expected a setting" },
        { "\ntoggle = [ \"leftctrl ];\n", "t.conf:2: string without an end; expected a closing \"" },
        { "\n/* toggle\n", "t.conf:2: comment without an end; expected a closing */" },
        { "x = (((((((((((((((((", "t.conf:1: too many brackets within each other; expected at most 16" },
};

static void test_mistakes(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)
                assert_mistake(mistakes[i].text, mistakes[i].expected);
}

/* Here the words before "expected" are libconfig's. */
static void test_syntax(void **state)
{
        static const struct {
                const char *text, *start, *end;
        } cases[] = {
                { "\ntoggle 5;", "t.conf:2: ", SYNTAX },
                { "toggle = [ \"f1\"\n;", "t.conf:2: ", SYNTAX },
                { "toggle = [ ];\n\ntoggle = [ ];", "t.conf:3: ", "every setting once in its group" },
                { "toggle = [ \"f1\", 2 ];", "t.conf:1: ", "values of one type in [ ]" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _autofree_ char *error = NULL, *end = xasprintf("; expected %s", cases[i].end);
                _cleanup_(config_freep) struct config *c = parse(cases[i].text, &error);

                assert_null(c);
                assert_true(startswith(error, cases[i].start));
                assert_non_null(strstr(error, end));
        }
}

static void test_ranges(void **state)
{
        static const struct {
                const char *format, *name;
                int min, max;
        } cases[] = {
                { "double-tap-ms = %d;", "double-tap-ms", 50, 2000 },
                { "grab-wait-ms = %d;", "grab-wait-ms", 0, 60000 },
                { "devices = { only = ( { vendor = %d; } ); };", "vendor", 0, 65535 },
                { "devices = { ignore = ( { product = %d; } ); };", "product", 0, 65535 },
                { GUEST("timeout-ms = %d;"), "timeout-ms", 100, 60000 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const int values[] = { cases[i].min, cases[i].max, cases[i].min - 1, cases[i].max + 1 };

                for (unsigned k = 0; k < ARRAY_SIZE(values); k++) {
                        char before[64];
                        _autofree_ char *text = NULL, *expected = NULL;
                        const char *at = strstr(cases[i].format, "%d");

                        assert_true((size_t) (at - cases[i].format) < sizeof(before));
                        text = xasprintf("%.*s%d%s", (int) (at - cases[i].format), cases[i].format, values[k], at + 2);
                        expected = xasprintf("t.conf:1: \"%s\" is %d; expected a whole number from %d to %d",
                                             cases[i].name, values[k], cases[i].min, cases[i].max);
                        if (k < 2)
                                (void) config_free(parse_good(text));
                        else
                                assert_mistake(text, expected);
                }
        }
}

static void test_lengths(void **state)
{
        static const struct {
                const char *before, *name;
                int max;
        } cases[] = {
                { "guests = ( { name = \"a\"; qmp = \"/", "qmp", 107 },
                { "guests = ( { name = \"a\"; qmp = \"/q\"; user = \"/", "user", 255 },
                { "guests = ( { name = \"a\"; domain = \"/", "domain", 128 },
                { "devices = { only = ( { name = \"/", "name", 255 },
                { "devices = { only = ( { phys = \"/", "phys", 255 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _autofree_ char *fits = NULL, *too_long = NULL, *expected = NULL;
                const char *after = startswith(cases[i].before, "guests") ? "\"; } );" : "\"; } ); };";

                fits = xasprintf("%s%0*d%s", cases[i].before, cases[i].max - 1, 0, after);
                too_long = xasprintf("%s%0*d%s", cases[i].before, cases[i].max, 0, after);
                expected = xasprintf("t.conf:1: \"%s\" is too long; expected one to %d characters", cases[i].name,
                                     cases[i].max);
                (void) config_free(parse_good(fits));
                assert_mistake(too_long, expected);
        }
}

/* "before item0, item1, … after"; owned by the caller. */
static char *make_list(const char *before, const char *item, unsigned n, const char *after)
{
        char *text = xstrdup(before);

        for (unsigned i = 0; i < n; i++) {
                char *more = xasprintf("%s%s{ name = \"%s%u\"; }", text, i ? "," : "", item, i);

                free(text);
                text = more;
        }
        text = xreallocarray(text, strlen(text) + strlen(after) + 1, 1);
        return strcat(text, after);
}

static void test_counts(void **state)
{
        static const struct {
                const char *before, *name, *after;
                unsigned max;
        } cases[] = {
                { "\nguests = (", "guests", ");", CONFIG_GUESTS_MAX },
                { "\ndevices = { only = (", "only", "); };", 256 },
                { "\ndevices = { ignore = (", "ignore", "); };", 256 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                _autofree_ char *fits = make_list(cases[i].before, "x", cases[i].max, cases[i].after);
                _autofree_ char *too_many = make_list(cases[i].before, "x", cases[i].max + 1, cases[i].after);
                _autofree_ char *expected = xasprintf("t.conf:2: \"%s\" has %u elements; expected at most %u",
                                                      cases[i].name, cases[i].max + 1, cases[i].max);

                (void) config_free(parse_good(fits));
                assert_mistake(too_many, expected);
        }
}

static void test_too_many_patterns(void **state)
{
        char text[1200] = "libvirt = { only = [ \"a\"";

        for (unsigned i = 1; i < 256; i++)
                strcat(text, ",\"b\"");
        strcat(text, "]; };");
        (void) config_free(parse_good(text));
        strcpy(strchr(text, ']'), ",\"b\"]; };");
        assert_mistake(text, "t.conf:1: \"only\" has 257 elements; expected at most 256");
}

static void test_too_many_values(void **state)
{
        _autofree_ char *text = xnew0(char, CONFIG_VALUES_MAX * 2 + 16);

        strcpy(text, "\nx=(");
        for (unsigned i = 0; i < CONFIG_VALUES_MAX; i++)
                strcat(text + i * 2, "1,");
        assert_mistake(text, "t.conf:2: too many settings; expected at most 4096");
}

static void test_nul_byte(void **state)
{
        static const char text[] = "host = [ ];\0togle = [ ];";
        _autofree_ char *error = NULL;
        struct config *c = NULL;

        assert_int_equal(config_parse(text, sizeof(text) - 1, "t.conf", NULL, &c, &error), -EINVAL);
        assert_string_equal(error, "t.conf:1: there is a NUL byte in the file; expected text");
        assert_null(c);
}

/* Files. */

static int make_directory(void **state)
{
        strcpy(directory, "/tmp/test-config-XXXXXX");
        return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
        return rmdir(directory);
}

static void test_absent_file(void **state)
{
        _autofree_ char *path = in_directory("absent"), *below = in_directory("absent/file"), *error = NULL;
        _cleanup_(config_freep) struct config *c = NULL, *d = NULL;

        assert_int_equal(config_load(path, &c, &error), 0);
        assert_defaults(c);
        assert_no_lists(c);
        assert_int_equal(config_load(below, &d, &error), 0);
        assert_defaults(d);
        assert_null(error);
}

static void test_load(void **state)
{
        static const char text[] = "grab-wait-ms = 7;";
        _autofree_ char *path = in_directory("f"), *error = NULL;
        _cleanup_(config_freep) struct config *c = NULL;

        write_file("f", text, strlen(text));
        assert_int_equal(config_load(path, &c, &error), 0);
        assert_int_equal(c->grab_wait_ms, 7);

        write_file("f", "\ngrab-wait-ms = 8; togle = 1;", 29);
        assert_load_fails("f", -EINVAL, "/f:2: unknown setting \"togle\"; expected \"toggle\"");
        assert_int_equal(c->grab_wait_ms, 7);
        remove_file("f");
}

static void test_not_a_file(void **state)
{
        _autofree_ char *fifo = in_directory("fifo"), *link = in_directory("link"), *dir = in_directory("dir");
        _autofree_ char *null = in_directory("null");

        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(mkdir(dir, 0700), 0);
        assert_int_equal(symlink("nowhere", link), 0);
        assert_int_equal(symlink("/dev/null", null), 0);
        assert_load_fails("fifo", -EINVAL, "/fifo: is not a regular file; expected one");
        assert_load_fails("dir", -EINVAL, "/dir: is not a regular file; expected one");
        assert_load_fails("null", -EINVAL, "/null: is not a regular file; expected one");
        assert_load_fails("link", -ENOENT,
                          "/link: cannot be opened (No such file or directory); expected a readable file");
        remove_file("fifo");
        remove_file("link");
        remove_file("null");
        assert_int_equal(rmdir(dir), 0);
}

static void test_unreadable_file(void **state)
{
        _autofree_ char *path = in_directory("f");
        bool root = geteuid() == 0;

        write_file("f", "", 0);
        assert_int_equal(chmod(path, 0), 0);
        if (root)
                assert_int_equal(seteuid(65534), 0);
        assert_load_fails("f", -EACCES, "/f: cannot be opened (Permission denied); expected a readable file");
        if (root)
                assert_int_equal(seteuid(0), 0);
        remove_file("f");
}

static void test_file_size(void **state)
{
        _autofree_ char *path = in_directory("f"), *error = NULL, *text = xnew0(char, CONFIG_FILE_SIZE_MAX + 1);
        _cleanup_(config_freep) struct config *c = NULL;

        memset(text, '\n', CONFIG_FILE_SIZE_MAX + 1);
        write_file("f", text, CONFIG_FILE_SIZE_MAX);
        assert_int_equal(config_load(path, &c, &error), 0);
        write_file("f", text, CONFIG_FILE_SIZE_MAX + 1);
        assert_load_fails("f", -EFBIG, "/f: is too large; expected at most 1 MiB");
        remove_file("f");
}

/* @include. */

static void write_main(const char *text)
{
        write_file("main", text, strlen(text));
}

static void test_include(void **state)
{
        _autofree_ char *path = in_directory("main"), *error = NULL;
        _cleanup_(config_freep) struct config *c = NULL;

        write_file("inner", "\n\ngrab-wait-ms = 9;\n", 20);
        write_main("  @include\t\"inner\"\ndouble-tap-ms = 99;\n# the next are none\n/*\n@include \"x\"\n*/\n"
                   "devices = { only = ( { name = \"a\n@include \\\"x\\\"\"; } ); };");
        assert_int_equal(config_load(path, &c, &error), 0);
        assert_int_equal(c->grab_wait_ms, 9);
        assert_int_equal(c->double_tap_ms, 99);
        assert_string_equal(c->only[0].name, "a\n@include \"x\"");
        remove_file("inner");
        remove_file("main");
}

static void test_mistake_in_included_file(void **state)
{
        write_main("\n@include \"inner\"\ntogle = 5;");
        write_file("inner", "\n\ngrab-wait-ms = -9;\n", 21);
        assert_load_fails("main", -EINVAL,
                          "/inner:3: \"grab-wait-ms\" is -9; expected a whole number from 0 to 60000");
        write_file("inner", "\ngrab-wait-ms = \"\n", 18);
        assert_load_fails("main", -EINVAL, "/inner:2: string without an end; expected a closing \"");
        write_file("inner", "\ngrab-wait-ms !\n", 16);
        assert_load_fails("main", -EINVAL,
                          "/inner:2: syntax error; expected " SYNTAX);
        write_file("inner", "", 0);
        assert_load_fails("main", -EINVAL, "/main:3: unknown setting \"togle\"; expected \"toggle\"");
        remove_file("inner");
        remove_file("main");
}

static void test_wrong_include(void **state)
{
        static const char *const texts[] = { "@include \"/etc/passwd\"", "@include \"\"", "@include \"a\\\\b\"",
                                             "@include \"a\n\"", "@include \"a" };
        _autofree_ char *fifo = in_directory("fifo"), *missing = NULL;
        _autofree_ char *wrong = xasprintf("/main:1: wrong @include; expected @include \"FILE\", a path relative to %s",
                                           directory);

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                write_main(texts[i]);
                assert_load_fails("main", -EINVAL, wrong);
        }
        write_main("\n@include \"fifo\"");
        missing = xasprintf("/main:2: there is no file %s; expected it, because it is included", fifo);
        assert_load_fails("main", -EINVAL, missing);
        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_load_fails("main", -EINVAL, "/fifo: is not a regular file; expected one");
        remove_file("fifo");
        remove_file("main");
}

static void test_include_without_end(void **state)
{
        char text[CONFIG_INCLUDES_MAX * 32] = "";

        write_main("@include \"main\"");
        assert_load_fails("main", -EINVAL, "/main:1: too many included files; expected at most 32, 8 deep");

        for (unsigned i = 0; i <= CONFIG_INCLUDES_MAX; i++)
                strcat(text, "@include \"empty\"\n");
        write_main(text);
        write_file("empty", "", 0);
        assert_load_fails("main", -EINVAL, "/main:33: too many included files; expected at most 32, 8 deep");
        remove_file("empty");
        remove_file("main");
}

/* Documentation. */

static char *read_source(const char *name)
{
        const char *top = getenv("top_srcdir");
        _autofree_ char *path = xasprintf("%s/%s", top ? top : ".", name), *error = NULL;
        char *text = NULL;
        size_t size;

        if (config_source_read(path, &text, &size, &error) < 0)
                fail_msg("cannot read %s: %s", path, error ? error : "no such file");
        return text;
}

/* Explanations are "# text"; settings, and what belongs to them, are not. */
static bool is_explanation(const char *line)
{
        return line[0] != '#' || line[1] == '\n' || (line[1] == ' ' && line[2] != ' ');
}

static void uncomment(char *text)
{
        char *line = text;

        while (*line) {
                if (!is_explanation(line))
                        *line = ' ';
                line += strcspn(line, "\n");
                line += *line == '\n';
        }
}

static void test_shipped_file(void **state)
{
        _autofree_ char *text = read_source("systemd/vfio-inputd.conf");
        _cleanup_(config_freep) struct config *shipped = parse_good(text), *c = NULL;

        assert_defaults(shipped);
        assert_no_lists(shipped);

        uncomment(text);
        c = parse_good(text);
        assert_defaults(c);
        assert_int_equal(c->n_only, 2);
        assert_int_equal(c->n_ignore, 1);
        assert_int_equal(c->libvirt.n_only + c->libvirt.n_ignore, 0);
        assert_int_equal(c->n_guests, 2);
        assert_guest_defaults(&c->guests[0]);
        assert_guest_defaults(&c->guests[1]);
}

static void assert_assigned(const char *group, const char *name, void *text)
{
        _autofree_ char *assignment = xasprintf(" %s = ", name);

        if (!strstr(text, assignment))
                fail_msg("not in the shipped file: %s %s", group, name);
}

static void test_shipped_file_has_every_setting(void **state)
{
        _autofree_ char *text = read_source("systemd/vfio-inputd.conf");

        uncomment(text);
        config_for_each_setting(assert_assigned, text);
}

/* In the manual page each setting is a line "``name`` (type, …)" in the
 * section of its group; those of the top are in "SETTINGS". */

static bool is_heading(const char *line)
{
        const char *under = strchr(line, '\n');

        return under && (startswith(under, "\n---") || startswith(under, "\n==="));
}

static bool heading_has_group(const char *line, const char *group)
{
        _autofree_ char *heading = xasprintf(" %.*s,", (int) strcspn(line, "\n"), line);
        _autofree_ char *word = xasprintf(" %s,", *group ? group : "SETTINGS");

        return strstr(heading, word) != NULL;
}

static void find_in_manual(const char *group, const char *name, void *manual)
{
        _autofree_ char *term = xasprintf("``%s`` (", name);
        unsigned found = 0;
        bool here = false;

        for (const char *line = manual; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
                if (is_heading(line))
                        here = heading_has_group(line, group);
                if (here && startswith(line, term))
                        found++;
        }
        if (found != 1)
                fail_msg("%u times in the manual page: %s %s", found, group, name);
}

static void count_setting(const char *group, const char *name, void *userdata)
{
        /* The two lists of devices share one section. */
        if (!streq(group, "devices.ignore"))
                ++*(unsigned *) userdata;
}

static void test_manual_has_every_setting(void **state)
{
        _autofree_ char *text = read_source("doc/vfio-inputd.conf.5.rst");
        unsigned n_settings = 0, n_terms = 0;

        config_for_each_setting(find_in_manual, text);
        config_for_each_setting(count_setting, &n_settings);
        for (const char *term = text; (term = strstr(term, "\n``")); term++)
                n_terms += term[3] != '"';
        assert_int_equal(n_terms, n_settings);
}

static void test_grab_toggle(void **state)
{
        for (unsigned i = 0; i < GRAB_TOGGLE_MAX_; i++) {
                enum grab_toggle t = (enum grab_toggle) i;
                uint16_t keys[2] = { 0 };

                assert_int_equal(grab_toggle_from_string(grab_toggle_to_string(t)), t);
                grab_toggle_keys(t, keys);
                assert_int_not_equal(keys[0], 0);
                assert_int_not_equal(keys[1], 0);
                assert_int_not_equal(keys[0], keys[1]);
        }
        assert_int_equal(grab_toggle_from_string("scrolllock"), GRAB_TOGGLE_INVALID);
        assert_int_equal(grab_toggle_from_string(""), GRAB_TOGGLE_INVALID);
}

static void test_words(void **state)
{
        for (unsigned i = 0; i < ROUTE_CHOICE_MAX_; i++)
                assert_int_equal(route_choice_from_string(route_choice_to_string((enum route_choice) i)), i);
        for (unsigned i = 0; i < ADOPT_MAX_; i++)
                assert_int_equal(adopt_from_string(adopt_to_string((enum adopt) i)), i);
        assert_int_equal(route_choice_from_string(""), ROUTE_CHOICE_INVALID);
        assert_int_equal(adopt_from_string("None"), ADOPT_INVALID);
}

#define test_with_directory(t) cmocka_unit_test_setup_teardown(t, make_directory, remove_directory)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_top_level),
                cmocka_unit_test(test_no_hotkey),
                cmocka_unit_test(test_devices),
                cmocka_unit_test(test_guests),
                cmocka_unit_test(test_libvirt),
                cmocka_unit_test(test_domains),
                cmocka_unit_test(test_guest_config),
                cmocka_unit_test(test_similar_hotkeys),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_syntax),
                cmocka_unit_test(test_ranges),
                cmocka_unit_test(test_lengths),
                cmocka_unit_test(test_counts),
                cmocka_unit_test(test_too_many_patterns),
                cmocka_unit_test(test_too_many_values),
                cmocka_unit_test(test_nul_byte),
                test_with_directory(test_absent_file),
                test_with_directory(test_load),
                test_with_directory(test_not_a_file),
                test_with_directory(test_unreadable_file),
                test_with_directory(test_file_size),
                test_with_directory(test_include),
                test_with_directory(test_mistake_in_included_file),
                test_with_directory(test_wrong_include),
                test_with_directory(test_include_without_end),
                cmocka_unit_test(test_shipped_file),
                cmocka_unit_test(test_shipped_file_has_every_setting),
                cmocka_unit_test(test_manual_has_every_setting),
                cmocka_unit_test(test_grab_toggle),
                cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
