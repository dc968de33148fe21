/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which event nodes are ours, with a libudev that knows only what it is told.
 *
 * The functions of libudev that selection.c uses are defined here, so the
 * linker takes them and not the library's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/mem.h"
#include "daemon/input/selection.h"

#define PAIRS_MAX 8

struct pair_of_strings {
        const char *key, *value;
};

/* An event node (subsystem NULL), or one of its parents. */
struct udev_device {
        const char *subsystem, *devtype;
        const char *syspath, *sysname, *devnode;
        struct pair_of_strings properties[PAIRS_MAX], attributes[PAIRS_MAX];
        struct udev_device *parent;
};

static const char *find(const struct pair_of_strings *pairs, const char *key)
{
        for (size_t i = 0; i < PAIRS_MAX && pairs[i].key; i++)
                if (streq(pairs[i].key, key))
                        return pairs[i].value;
        return NULL;
}

const char *udev_device_get_property_value(struct udev_device *d, const char *key)
{
        return find(d->properties, key);
}

const char *udev_device_get_sysattr_value(struct udev_device *d, const char *name)
{
        return find(d->attributes, name);
}

const char *udev_device_get_syspath(struct udev_device *d)
{
        return d->syspath;
}

const char *udev_device_get_sysname(struct udev_device *d)
{
        return d->sysname;
}

const char *udev_device_get_devnode(struct udev_device *d)
{
        return d->devnode;
}

struct udev_device *udev_device_get_parent_with_subsystem_devtype(struct udev_device *d, const char *subsystem,
                                                                  const char *devtype)
{
        for (struct udev_device *p = d->parent; p; p = p->parent)
                if (streq(p->subsystem, subsystem) && (!devtype || streq_null(p->devtype, devtype)))
                        return p;
        return NULL;
}

/* ---- devices ---- */

static struct udev_device usb_receiver = { .subsystem = "usb", .devtype = "usb_device", .syspath = "/sys/usb/1-2" };
static struct udev_device usb_interface = {
        .subsystem = "usb", .devtype = "usb_interface", .syspath = "/sys/usb/1-2/1-2:1.0", .parent = &usb_receiver,
};
static struct udev_device usb_hid = {
        .subsystem = "hid", .syspath = "/sys/usb/1-2/1-2:1.0/0003:046D:C52B.0001", .parent = &usb_interface,
};
static struct udev_device bluetooth_hid = { .subsystem = "hid", .syspath = "/sys/misc/uhid/0005:046D:B342.0003" };
static struct udev_device serio_port = { .subsystem = "serio", .syspath = "/sys/platform/i8042/serio0" };

/* A node and its input device, as one test describes them. */
struct fixture {
        struct udev_device node, input;
        struct node_info info;
};

static enum device_kind read_kind(struct fixture *f, struct udev_device *bus, const char *property, const char *rel,
                                  const char *abs)
{
        f->input = (struct udev_device) {
                .subsystem = "input",
                .syspath = "/sys/input/input7",
                .attributes = {
                        { "name", "Some Device" },
                        { "phys", "usb-0000:00:14.0-2/input0" },
                        { "id/vendor", "046d" },
                        { "id/product", "c52b" },
                        { "capabilities/rel", rel },
                        { "capabilities/abs", abs },
                },
                .parent = bus,
        };
        f->node = (struct udev_device) {
                .sysname = "event7",
                .syspath = "/sys/input/input7/event7",
                .devnode = "/dev/input/event7",
                .properties = { { property, "1" } },
                .parent = &f->input,
        };
        assert_true(node_info_read(&f->node, &f->info));
        return f->info.kind;
}

static void test_usb_keyboard(void **state)
{
        struct fixture f;

        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_KEYBOARD", "0", "0"), DEVICE_KEYBOARD);
        assert_string_equal(f.info.syspath, "/sys/input/input7/event7");
        assert_string_equal(f.info.devnode, "/dev/input/event7");
        assert_string_equal(f.info.name, "Some Device");
        assert_string_equal(f.info.phys, "usb-0000:00:14.0-2/input0");
        assert_int_equal(f.info.vendor, 0x046d);
        assert_int_equal(f.info.product, 0xc52b);
        assert_string_equal(f.info.physical, "/sys/usb/1-2");
        assert_false(f.info.own);
}

static void test_usb_mouse(void **state)
{
        struct fixture f;

        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "1943", "0"), DEVICE_MOUSE);
        /* What calls itself a mouse but does not move by REL_X is none. */
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "0", "0"), DEVICE_NONE);
}

/* The consumer-control node of a keyboard: media keys, a volume axis. */
static void test_companion_of_a_keyboard(void **state)
{
        struct fixture keyboard, media;

        (void) read_kind(&keyboard, &usb_hid, "ID_INPUT_KEYBOARD", "0", "0");
        assert_int_equal(read_kind(&media, &usb_hid, "ID_INPUT_KEY", "1040", "100000000"), DEVICE_KEYS);
        assert_string_equal(media.info.physical, keyboard.info.physical);
        /* ABS_VOLUME and ABS_MISC */
        assert_int_equal(read_kind(&media, &usb_hid, "ID_INPUT_KEY", "0", "10100000000"), DEVICE_KEYS);
        /* ABS_VOLUME and ABS_X */
        assert_int_equal(read_kind(&media, &usb_hid, "ID_INPUT_KEY", "0", "100000001"), DEVICE_NONE);
}

/* A knob has a wheel and no key at all. */
static void test_wheel_knob(void **state)
{
        struct fixture f;

        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT", "80", "0"), DEVICE_KEYS);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT", "0", "0"), DEVICE_NONE);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT", NULL, NULL), DEVICE_NONE);
}

/* It has keys, but it is alone: nothing else has its group. */
static void test_power_button(void **state)
{
        struct fixture f;

        assert_int_equal(read_kind(&f, NULL, "ID_INPUT_KEY", "0", "0"), DEVICE_KEYS);
        assert_string_equal(f.info.physical, f.input.syspath);
}

static void test_not_for_us(void **state)
{
        static const char *const properties[] = {
                "ID_INPUT_SWITCH",   "ID_INPUT_TOUCHPAD",   "ID_INPUT_TOUCHSCREEN",    "ID_INPUT_TABLET",
                "ID_INPUT_JOYSTICK", "ID_INPUT_TABLET_PAD", "ID_INPUT_ACCELEROMETER",
        };
        struct fixture f;

        for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
                assert_int_equal(read_kind(&f, &usb_hid, properties[i], "3", "0"), DEVICE_NONE);
                /* Also if it is a keyboard or mouse as well. */
                f.node.properties[1] = (struct pair_of_strings) { "ID_INPUT_KEYBOARD", "1" };
                f.node.properties[2] = (struct pair_of_strings) { "ID_INPUT_MOUSE", "1" };
                assert_true(node_info_read(&f.node, &f.info));
                assert_int_equal(f.info.kind, DEVICE_NONE);
        }
}

/* The keyboard of a USB device is taken, its touchpad is not. */
static void test_touchpad_beside_a_keyboard(void **state)
{
        struct fixture keyboard, touchpad;

        assert_int_equal(read_kind(&keyboard, &usb_hid, "ID_INPUT_KEYBOARD", "0", "0"), DEVICE_KEYBOARD);
        assert_int_equal(read_kind(&touchpad, &usb_hid, "ID_INPUT_TOUCHPAD", "0", "260800000000003"), DEVICE_NONE);
        assert_string_equal(keyboard.info.physical, touchpad.info.physical);
}

/* udev calls it a mouse, but its axes are absolute. */
static void test_usb_tablet_of_qemu(void **state)
{
        struct fixture f;

        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "900", "3"), DEVICE_NONE);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "903", "3"), DEVICE_NONE);
}

static void test_own_nodes(void **state)
{
        static const char *const phys[] = {
                "vfio-inputd/host/3", "vfio-inputd/guest/win10/keyboard", "vfio-inputd/guest/win10/pointer",
        };
        struct fixture f;

        for (size_t i = 0; i < ARRAY_SIZE(phys); i++) {
                (void) read_kind(&f, NULL, "ID_INPUT_KEYBOARD", "0", "0");
                f.input.attributes[1].value = phys[i];
                assert_true(node_info_read(&f.node, &f.info));
                assert_true(f.info.own);
                assert_int_equal(f.info.kind, DEVICE_NONE);
        }
        f.input.attributes[1].value = "usb-vfio-inputd/host/3";
        assert_true(node_info_read(&f.node, &f.info));
        assert_false(f.info.own);
}

static void test_seats(void **state)
{
        struct fixture f;

        (void) read_kind(&f, &usb_hid, "ID_INPUT_KEYBOARD", "0", "0");
        f.node.properties[1] = (struct pair_of_strings) { "ID_SEAT", "seat1" };
        assert_true(node_info_read(&f.node, &f.info));
        assert_int_equal(f.info.kind, DEVICE_NONE);

        f.node.properties[1] = (struct pair_of_strings) { "ID_SEAT", "seat0" };
        assert_true(node_info_read(&f.node, &f.info));
        assert_int_equal(f.info.kind, DEVICE_KEYBOARD);
}

static void test_groups(void **state)
{
        struct fixture f;

        (void) read_kind(&f, &serio_port, "ID_INPUT_KEYBOARD", "0", "0");
        assert_string_equal(f.info.physical, serio_port.syspath);
        (void) read_kind(&f, &bluetooth_hid, "ID_INPUT_MOUSE", "3", "0");
        assert_string_equal(f.info.physical, bluetooth_hid.syspath);
        (void) read_kind(&f, NULL, "ID_INPUT_MOUSE", "3", "0");
        assert_string_equal(f.info.physical, "/sys/input/input7");
}

/* sysfs prints bitmaps as longs, the highest first. */
static void test_bitmaps_of_several_words(void **state)
{
        struct fixture f;

        if (sizeof(long) != 8)
                skip();
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "1 0 3", "0"), DEVICE_MOUSE);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "3 0", "0"), DEVICE_KEYS);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "3", "8000000000000000"), DEVICE_NONE);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "3", "1 0"), DEVICE_MOUSE);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "3", "0 0 1"), DEVICE_NONE);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT_MOUSE", "3", ""), DEVICE_MOUSE);
        assert_int_equal(read_kind(&f, &usb_hid, "ID_INPUT", "0 0", "0"), DEVICE_NONE);
}

static void test_what_is_no_event_node(void **state)
{
        struct fixture f;

        (void) read_kind(&f, &usb_hid, "ID_INPUT_KEYBOARD", "0", "0");
        f.node.sysname = "js0";
        assert_false(node_info_read(&f.node, &f.info));
        f.node.sysname = NULL;
        assert_false(node_info_read(&f.node, &f.info));
        f.node.sysname = "event7";
        f.node.devnode = NULL;
        assert_false(node_info_read(&f.node, &f.info));
        f.node.devnode = "/dev/input/event7";
        f.node.parent = &usb_hid;
        assert_false(node_info_read(&f.node, &f.info));
}

/* sysfs may be half gone while a device is unplugged. */
static void test_missing_attributes(void **state)
{
        struct fixture f;

        (void) read_kind(&f, &usb_hid, "ID_INPUT_KEYBOARD", "0", "0");
        memset(f.input.attributes, 0, sizeof(f.input.attributes));
        assert_true(node_info_read(&f.node, &f.info));
        assert_string_equal(f.info.name, "");
        assert_string_equal(f.info.phys, "");
        assert_int_equal(f.info.vendor, 0);
}

static void test_names_of_kinds(void **state)
{
        assert_string_equal(device_kind_to_string(DEVICE_NONE), "none");
        assert_string_equal(device_kind_to_string(DEVICE_KEYBOARD), "keyboard");
        assert_string_equal(device_kind_to_string(DEVICE_MOUSE), "mouse");
        assert_string_equal(device_kind_to_string(DEVICE_KEYS), "keys");
}

/* ---- the configuration ---- */

static bool admitted(const struct device_match *only, unsigned n_only, const struct device_match *ignore,
                     unsigned n_ignore)
{
        const struct node_info info = {
                .name = "Logitech USB Receiver", .phys = "usb-0000:00:14.0-2/input0", .vendor = 0x046d, .product = 0xc52b,
        };
        _cleanup_(config_freep) struct config *c = config_new();
        struct config test = *c;

        test.only = (struct device_match *) (void *) only;
        test.n_only = n_only;
        test.ignore = (struct device_match *) (void *) ignore;
        test.n_ignore = n_ignore;
        return node_info_admitted(&info, &test);
}

static void test_matches(void **state)
{
        static char receiver[] = "Logitech*", port[] = "usb-*-2/input?", other[] = "Keychron*", literal[] = "Logitech";
        static const struct {
                struct device_match match;
                bool hits;
        } cases[] = {
                { { -1, -1, receiver, NULL }, true },     { { -1, -1, NULL, port }, true },
                { { 0x046d, -1, NULL, NULL }, true },     { { -1, 0xc52b, NULL, NULL }, true },
                { { 0x046d, 0xc52b, receiver, port }, true },
                { { -1, -1, other, NULL }, false },       { { -1, -1, literal, NULL }, false },
                { { 0x046e, -1, NULL, NULL }, false },    { { 0, -1, NULL, NULL }, false },
                { { 0x046d, 0xc52b, receiver, other }, false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                assert_int_equal(admitted(&cases[i].match, 1, NULL, 0), cases[i].hits);
                assert_int_equal(admitted(NULL, 0, &cases[i].match, 1), !cases[i].hits);
                /* ignore goes before only */
                assert_false(admitted(&cases[i].match, 1, &cases[i].match, 1));
        }
        assert_true(admitted(NULL, 0, NULL, 0));
}

static void test_any_of_a_list(void **state)
{
        static char other[] = "Keychron*", receiver[] = "*Receiver";
        const struct device_match list[] = { { -1, -1, other, NULL }, { -1, -1, receiver, NULL } };

        assert_true(admitted(list, 2, NULL, 0));
        assert_false(admitted(list, 1, NULL, 0));
        assert_false(admitted(NULL, 0, list, 2));
        assert_true(admitted(NULL, 0, list, 1));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_usb_keyboard),
                cmocka_unit_test(test_usb_mouse),
                cmocka_unit_test(test_companion_of_a_keyboard),
                cmocka_unit_test(test_wheel_knob),
                cmocka_unit_test(test_power_button),
                cmocka_unit_test(test_not_for_us),
                cmocka_unit_test(test_touchpad_beside_a_keyboard),
                cmocka_unit_test(test_usb_tablet_of_qemu),
                cmocka_unit_test(test_own_nodes),
                cmocka_unit_test(test_seats),
                cmocka_unit_test(test_groups),
                cmocka_unit_test(test_bitmaps_of_several_words),
                cmocka_unit_test(test_what_is_no_event_node),
                cmocka_unit_test(test_missing_attributes),
                cmocka_unit_test(test_names_of_kinds),
                cmocka_unit_test(test_matches),
                cmocka_unit_test(test_any_of_a_list),
        };

        return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
