/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The step "domain" on a machine made of files, with libvirt's test driver as
 * its libvirt: definitions go through its parser and its schema, and come back
 * as it writes them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/setup/domain-create.h"
#include "client/setup/domain-store.h"
#include "client/setup/step.h"
#include "tests/unit/setup-domain.h"
#include "tests/unit/setup-root.h"

#define CONFIG SYSCONFDIR "/vfio-inputd.conf"

/* A machine, and a libvirt with one domain and perhaps the network "default".
 * Each connection to it reads its file. */
struct world {
        struct setup_root *root;
        struct machine *machine;
        char *uri;
        bool network;
};

static void world_clear(struct world *w)
{
        (void) machine_free(w->machine);
        (void) setup_root_free(w->root);
        free(w->uri);
}

static void put_node(struct world *w, const char *domain)
{
        _autofree_ char *node = xasprintf("<node>%s%s</node>", domain,
                                          w->network ? "<network><name>default</name><ip address='192.168.122.1' "
                                                       "netmask='255.255.255.0'/></network>" : "");

        setup_root_file(w->root, "/libvirt/node.xml", node);
}

/* Of the file's text, what libvirt's driver of that name would have. */
static char *of_test_driver(const char *xml)
{
        const char *type = strstr(xml, "<domain type='kvm'");

        assert_non_null(type);
        return xasprintf("%.*s<domain type='test'%s", (int) (type - xml), xml, type + strlen("<domain type='kvm'"));
}

static struct world world_new(const char *domain, bool network)
{
        struct world w = { .root = setup_root_desktop(), .network = network };
        _autofree_ char *xml = setup_domain_read(domain), *own = of_test_driver(xml);

        put_node(&w, own);
        setup_root_file(w.root, "/proc/meminfo", "MemTotal:       32768000 kB\nMemFree: 1 kB\n");
        setup_root_file(w.root, "/usr/share/qemu/firmware/60-edk2-x86_64.json",
                        "{ \"interface-types\": [ \"uefi\" ], \"targets\": [ { \"architecture\": \"x86_64\" } ] }\n");
        assert_int_equal(machine_load(setup_root_open(w.root), &w.machine), 0);
        w.uri = xasprintf("test://%s/libvirt/node.xml", setup_root_path(w.root));
        return w;
}

static int plan_it(struct world *w, struct choices c, struct plan *p, char **ret_error)
{
        _cleanup_(setup_clear) struct setup s = { .machine = NULL };

        assert_int_equal(setup_prepare(w->machine, &c, &s, ret_error), 0);
        return step_domain_plan(&s, p, ret_error);
}

static void check_plan(struct world *w, struct choices c, struct plan *p)
{
        _autofree_ char *error = NULL;
        int e = plan_it(w, c, p, &error);

        if (error)
                print_error("%s\n", error);
        assert_int_equal(e, 0);
}

/* As libvirt writes it once it has been defined; owned by the caller. */
static char *through_libvirt(struct world *w, const struct plan_domain *d)
{
        _cleanup_(domain_store_freep) struct domain_store *store = NULL;
        _autofree_ char *error = NULL;
        char *xml = NULL;

        (void) domain_store_open(w->uri, &store, &error);
        if (!error)
                (void) domain_store_define(store, d->after, &error);
        if (!error)
                (void) domain_store_read(store, d->name, &xml, &error);
        if (error)
                print_error("%s\n", error);
        assert_null(error);
        return xml;
}

/* What applying would do to the files and the domain. */
static void apply(struct world *w, const struct plan *p)
{
        _autofree_ char *xml = through_libvirt(w, &p->domains[0]);

        put_node(w, xml);
        for (size_t i = 0; i < p->n_files; i++)
                setup_root_file(w->root, p->files[i].path, p->files[i].after);
}

/* --- editing ------------------------------------------------------------------------------------ */

static void check_edit(const char *file, const char *domain, const char *guest)
{
        _cleanup_(world_clear) struct world w = world_new(file, true);
        _cleanup_(plan_clear) struct plan first = { 0 }, second = { 0 };
        _autofree_ char *node = xasprintf("/dev/input/by-id/vfio-inputd-%s-event-kbd", guest);
        _autofree_ char *group = xasprintf("{ name = \"%s\"; domain = \"%s\"; }", guest, domain);
        char cpus[] = "2", *name = xstrdup(domain);
        struct choices c = { .connect = w.uri, .domain = name, .cpus = cpus, .cleanup = true,
                             .graphics = GRAPHICS_REMOVE };

        check_plan(&w, c, &first);
        assert_int_equal(first.n_domains, 1);
        assert_string_equal(first.domains[0].name, domain);
        assert_non_null(first.domains[0].before);
        assert_non_null(strstr(first.domains[0].after, node));
        assert_int_equal(first.n_files, 1);
        assert_string_equal(first.files[0].path, CONFIG);
        assert_non_null(strstr(first.files[0].after, group));
        assert_non_null(plan_closed_gate(&first));
        assert_string_equal(plan_closed_gate(&first)->id, "running-domain");
        apply(&w, &first);
        check_plan(&w, c, &second);
        if (second.n_domains > 0)
                print_error("%s\n---\n%s\n", second.domains[0].before, second.domains[0].after);
        assert_true(plan_is_empty(&second));
        assert_int_equal(second.n_gates, 0);
        assert_true(setup_domain_has_note(&second, PLAN_DONE, guest));
        free(name);
}

/* Twice is once, also when libvirt has written it in its own way between. */
static void test_edit(void **state)
{
        check_edit("virt-manager", "win10", "win10");
        check_edit("guide", "Windows 10", "windows-10");
        check_edit("secrets", "lab.2", "lab");
}

/* Passwords are those of before, and QEMU's hotkey is that of the domain's metadata. */
static void test_secrets(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("secrets", true);
        _cleanup_(plan_clear) struct plan p = { 0 };
        char name[] = "lab.2";

        check_plan(&w, (struct choices) { .connect = w.uri, .domain = name }, &p);
        assert_int_equal(p.n_domains, 1);
        assert_non_null(strstr(p.domains[0].after, "passwd='p&lt;&amp;&quot;w&apos;d'"));
        assert_non_null(strstr(p.domains[0].after, "passwd='geheim'"));
        assert_non_null(strstr(p.domains[0].after, "grabToggle='alt-alt'"));
}

static void test_configured_guest(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        _cleanup_(plan_clear) struct plan p = { 0 };
        char name[] = "c7a5fdbd-edaf-9455-926a-d65c16db1809";

        setup_root_file(w.root, CONFIG, "guests = ( { name = \"games\"; domain = \"win10\"; grab-toggle = \"shift-shift\"; } );\n");
        check_plan(&w, (struct choices) { .connect = w.uri, .domain = name }, &p);
        assert_int_equal(p.n_files, 0);
        assert_int_equal(p.n_commands, 0);
        assert_string_equal(p.domains[0].name, "win10");
        assert_non_null(strstr(p.domains[0].after, "vfio-inputd-games-event-kbd' grab='all' grabToggle='shift-shift'"));
}

static void test_no_input(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        _cleanup_(plan_clear) struct plan p = { 0 };
        char name[] = "win10";

        check_plan(&w, (struct choices) { .connect = w.uri, .domain = name, .no_input = true }, &p);
        assert_int_equal(p.n_files, 0);
        assert_null(strstr(p.domains[0].after, "evdev"));
        assert_int_equal(setup_domain_count(p.domains[0].after, "<hostdev"), 2);
}

static void test_gate_opened(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        _cleanup_(plan_clear) struct plan p = { 0 };
        char name[] = "win10", id[] = "running-domain", *accepted[] = { id, NULL };

        check_plan(&w, (struct choices) { .connect = w.uri, .domain = name, .accepted = accepted }, &p);
        assert_int_equal(p.n_gates, 1);
        assert_null(plan_closed_gate(&p));
}

/* --- what cannot be planned -------------------------------------------------------------------- */

static void test_no_domain(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        _cleanup_(plan_clear) struct plan none = { 0 }, mounted = { 0 }, deaf = { 0 };
        char name[] = "win10", nowhere[] = "qemu+unix:///system?socket=/nonexistent/socket";

        check_plan(&w, (struct choices) { .connect = w.uri }, &none);
        assert_true(plan_is_empty(&none));
        assert_true(setup_domain_has_note(&none, PLAN_OPTIONAL, "--domain=NAME"));
        check_plan(&w, (struct choices) { .domain = name }, &mounted);
        assert_true(plan_is_empty(&mounted));
        assert_true(setup_domain_has_note(&mounted, PLAN_BY_HAND, "win10"));
        check_plan(&w, (struct choices) { .domain = name, .connect = nowhere }, &deaf);
        assert_true(plan_is_empty(&deaf));
        assert_true(setup_domain_has_note(&deaf, PLAN_BY_HAND, "/nonexistent/socket"));
}

static void check_refused(struct world *w, struct choices c, const char *reason)
{
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;

        c.connect = w->uri;
        assert_true(plan_it(w, c, &p, &error) < 0);
        assert_non_null(error);
        if (!strstr(error, reason))
                print_error("%s\n", error);
        assert_non_null(strstr(error, reason));
}

static void test_refused(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        char other[] = "nobody", name[] = "win10", many[] = "64", missing[] = "/missing.iso", text[] = "/etc/group",
             relative[] = "x.iso", slash[] = "a/b", folder[] = "/etc";

        check_refused(&w, (struct choices) { .domain = other }, "nobody");
        check_refused(&w, (struct choices) { .domain = name, .cpus = many }, "--cpus=64");
        check_refused(&w, (struct choices) { .domain = other, .create = true, .medium = missing }, "/missing.iso");
        check_refused(&w, (struct choices) { .domain = other, .create = true, .medium = text }, "ISO image");
        check_refused(&w, (struct choices) { .domain = other, .create = true, .medium = relative }, "absolute");
        check_refused(&w, (struct choices) { .domain = other, .create = true, .memory_mib = 32000 }, "32000 MiB");
        check_refused(&w, (struct choices) { .domain = other, .create = true, .disk = folder }, "expected the path of a file");
        check_refused(&w, (struct choices) { .domain = slash, .create = true }, "name");
        setup_root_file(w.root, CONFIG, "guests = 1;\n");
        check_refused(&w, (struct choices) { .domain = name }, CONFIG ":1");
}

/* --- making one ------------------------------------------------------------------------------------ */

static void put_media(struct setup_root *root)
{
        static char bytes[40000];

        bytes[510] = '\x55';
        bytes[511] = '\xaa';
        setup_root_bytes(root, "/media/sector.img", bytes, 512);
        setup_root_bytes(root, "/media/floppy.img", bytes, sizeof(bytes));
        memcpy(bytes + 32769, "CD001", 5);
        setup_root_bytes(root, "/media/install.iso", bytes, sizeof(bytes));
}

static void test_media(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        const struct root *r = setup_root_open(w.root);
        _autofree_ char *error = NULL;
        enum medium kind;

        put_media(w.root);
        assert_int_equal(domain_medium_detect(r, "/media/sector.img", &kind, &error), 0);
        assert_int_equal(kind, MEDIUM_FLOPPY);
        assert_int_equal(domain_medium_detect(r, "/media/floppy.img", &kind, &error), 0);
        assert_int_equal(kind, MEDIUM_FLOPPY);
        assert_int_equal(domain_medium_detect(r, "/media/install.iso", &kind, &error), 0);
        assert_int_equal(kind, MEDIUM_CDROM);
        assert_null(error);
        assert_int_equal(domain_medium_detect(r, "/media", &kind, &error), -EINVAL);
}

static void test_memory(void **state)
{
        assert_int_equal(domain_default_memory(0), 4096);
        assert_int_equal(domain_default_memory(128 * 1024), 16384);
        assert_int_equal(domain_default_memory(31900), 15360);
        assert_int_equal(domain_default_memory(3900), 1024);
        assert_int_equal(domain_default_memory(1900), 896);
        assert_int_equal(domain_default_memory(100), 128);
}

static void take_virtualisation(struct world *w)
{
        setup_root_file(w->root, "/proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu\n");
        w->machine = machine_free(w->machine);
        assert_int_equal(machine_load(setup_root_open(w->root), &w->machine), 0);
}

static void test_create(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        _cleanup_(plan_clear) struct plan p = { 0 };
        char name[] = "neu", medium[] = "/media/install.iso";
        const char *xml;

        put_media(w.root);
        setup_root_file(w.root, "/usr/bin/swtpm", "");
        setup_root_file(w.root, "/usr/bin/find", "");
        setup_root_file(w.root, "/usr/bin/qemu-img", "");
        check_plan(&w, (struct choices) { .connect = w.uri, .domain = name, .create = true, .medium = medium }, &p);
        assert_int_equal(p.n_domains, 1);
        assert_null(p.domains[0].before);
        assert_int_equal(p.n_gates, 0);
        xml = p.domains[0].after;
        setup_domain_validate(xml);
        assert_non_null(strstr(xml, "<domain type='kvm'>"));
        assert_non_null(strstr(xml, "<os firmware='efi'>"));
        assert_non_null(strstr(xml, "machine='q35'"));
        assert_non_null(strstr(xml, "<memory unit='MiB'>15360</memory>"));
        assert_non_null(strstr(xml, "<cpu mode='host-passthrough'>"));
        assert_non_null(strstr(xml, "<topology sockets='1' dies='1' cores='1' threads='2'/>"));
        assert_null(strstr(xml, "vcpupin"));
        assert_non_null(strstr(xml, "<source file='/var/lib/libvirt/images/neu.qcow2'/>"));
        assert_non_null(strstr(xml, "device='cdrom'"));
        assert_non_null(strstr(xml, "network='default'"));
        assert_non_null(strstr(xml, "<tpm model='tpm-crb'>"));
        assert_int_equal(setup_domain_count(xml, "<hostdev "), 2);
        assert_non_null(strstr(xml, "vfio-inputd-neu-event-kbd"));
        assert_non_null(strstr(xml, "<graphics type='vnc'"));
        assert_int_equal(p.n_files, 1);
        assert_int_equal(p.n_commands, 1);
        assert_string_equal(p.commands[0].argv[0], "qemu-img");
        assert_string_equal(p.commands[0].argv[5], "/var/lib/libvirt/images/neu.qcow2");
        assert_string_equal(p.commands[0].argv[6], "64G");
        assert_string_equal(p.commands[0].undo[0], "/usr/bin/find");
}

/* A boot sector, no virtualisation, no network, a disk that is there. */
static void test_create_small(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", false);
        _cleanup_(plan_clear) struct plan p = { 0 };
        char name[] = "neu", medium[] = "/media/sector.img", disk[] = "/srv/old.img";
        const char *xml;

        put_media(w.root);
        take_virtualisation(&w);
        setup_root_file(w.root, disk, "QFI\xfb and so on");
        check_plan(&w, (struct choices) { .connect = w.uri, .domain = name, .create = true, .medium = medium,
                                          .memory_mib = 256, .disk = disk, .hide_kvm = true,
                                          .graphics = GRAPHICS_REMOVE }, &p);
        xml = p.domains[0].after;
        setup_domain_validate(xml);
        assert_non_null(strstr(xml, "<domain type='qemu'>"));
        assert_null(strstr(xml, "firmware="));
        assert_null(strstr(xml, "hyperv"));
        assert_non_null(strstr(xml, "<cpu mode='maximum'>"));
        assert_non_null(strstr(xml, "<memory unit='MiB'>256</memory>"));
        assert_non_null(strstr(xml, "device='floppy'"));
        assert_null(strstr(xml, "network='default'"));
        assert_null(strstr(xml, "<tpm"));
        assert_null(strstr(xml, "<graphics"));
        assert_null(strstr(xml, "tablet"));
        assert_non_null(strstr(xml, "type='qcow2'"));
        assert_int_equal(p.n_commands, 0);
        assert_true(setup_domain_has_note(&p, PLAN_BY_HAND, "emulated"));
        assert_true(setup_domain_has_note(&p, PLAN_BY_HAND, "no network"));
        assert_true(setup_domain_has_note(&p, PLAN_DONE, disk));
}

/* Without the program there is no disk, and no other plan than to say so. */
static void test_create_without_qemu_img(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *error = NULL;
        char name[] = "neu", medium[] = "/media/install.iso";

        put_media(w.root);
        assert_int_equal(plan_it(&w, (struct choices) { .connect = w.uri, .domain = name, .create = true,
                                                        .medium = medium }, &p, &error), -ENOENT);
        assert_non_null(strstr(error, "qemu-img"));
}

/* Runs it as it is planned; its first word may be looked for. */
static int run(char *const *argv)
{
        _autofree_ char *words = words_join(argv, "' '"), *line = xasprintf("'%s' >/dev/null", words);

        return system(line);
}

/* The disk goes with its domain, but not with what somebody has written to it. */
static void test_disk_taken_back(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        _cleanup_(plan_clear) struct plan p = { 0 };
        _autofree_ char *disk = xasprintf("%s/a disk [1].qcow2", setup_root_path(w.root));
        char name[] = "neu", medium[] = "/media/install.iso", *write[] = { "qemu-io", "-c", "write 1G 512", disk, NULL };

        if (access("/usr/bin/qemu-img", X_OK) < 0 || access("/usr/bin/qemu-io", X_OK) < 0) {
                print_message("SKIP: qemu-img and qemu-io are not installed\n");
                skip();
        }
        put_media(w.root);
        setup_root_file(w.root, "/usr/bin/find", "");
        setup_root_file(w.root, "/usr/bin/qemu-img", "");
        check_plan(&w, (struct choices) { .connect = w.uri, .domain = name, .create = true, .medium = medium,
                                          .disk = disk, .disk_gib = 2048 }, &p);
        assert_int_equal(run(p.commands[0].undo), 0); /* it could not even be made */
        assert_int_equal(run(p.commands[0].argv), 0);
        assert_int_equal(access(disk, F_OK), 0);
        assert_int_equal(run(p.commands[0].undo), 0);
        assert_int_equal(access(disk, F_OK), -1);
        assert_int_equal(run(p.commands[0].argv), 0);
        assert_int_equal(run(write), 0);
        assert_int_equal(run(p.commands[0].undo), 0);
        assert_int_equal(access(disk, F_OK), 0);
}

/* Made already: only what is missing is done, and nobody's disk is touched. */
static void test_create_again(void **state)
{
        _cleanup_(world_clear) struct world w = world_new("virt-manager", true);
        _cleanup_(plan_clear) struct plan p = { 0 };
        char name[] = "win10", medium[] = "/media/install.iso";

        put_media(w.root);
        check_plan(&w, (struct choices) { .connect = w.uri, .domain = name, .create = true, .medium = medium }, &p);
        assert_non_null(p.domains[0].before);
        assert_int_equal(p.n_commands, 0);
        assert_null(strstr(p.domains[0].after, "install.iso"));
        assert_true(setup_domain_has_note(&p, PLAN_DONE, "edited instead"));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_edit),         cmocka_unit_test(test_secrets),
                cmocka_unit_test(test_configured_guest), cmocka_unit_test(test_no_input),
                cmocka_unit_test(test_gate_opened),  cmocka_unit_test(test_no_domain),
                cmocka_unit_test(test_refused),      cmocka_unit_test(test_media),
                cmocka_unit_test(test_memory),       cmocka_unit_test(test_create),
                cmocka_unit_test(test_create_small), cmocka_unit_test(test_create_again),
                cmocka_unit_test(test_disk_taken_back), cmocka_unit_test(test_create_without_qemu_img),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
