/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/domain-create.h"

#include <fcntl.h>
#include <stdio.h>

#include "client/setup/domain-part.h"

#define FLOPPY_SIZE_MAX (2880U * 1024)
#define SECTOR 512U
#define ISO_MAGIC_OFFSET 32769

/* --- medium -------------------------------------------------------------------------------- */

static bool has_bytes(int fd, off_t offset, const void *bytes, size_t n)
{
        char actual[8];

        return pread(fd, actual, n, offset) == (ssize_t) n && memcmp(actual, bytes, n) == 0;
}

static int fail_medium(const char *path, char **ret_error)
{
        *ret_error = xasprintf("nothing can be installed from %s: expected an ISO image, the image of a USB stick, or one "
                               "of a floppy disk with a boot sector",
                               path);
        return -EINVAL;
}

int domain_medium_detect(const struct root *r, const char *path, enum medium *ret, char **ret_error)
{
        _autoclose_ int fd = *path == '/' ? root_open_file(r, path, O_RDONLY | O_NONBLOCK | O_NOCTTY) : -EINVAL;
        struct stat st;

        if (*path != '/') {
                *ret_error = xasprintf("--medium=%s: expected an absolute path, /...", path);
                return -EINVAL;
        }
        if (fd < 0 || fstat(fd, &st) < 0) {
                int e = fd < 0 ? fd : -errno;

                *ret_error = xasprintf("--medium=%s: %s", path, strerror(-e));
                return e;
        }
        if (!S_ISREG(st.st_mode))
                return fail_medium(path, ret_error);
        if (has_bytes(fd, ISO_MAGIC_OFFSET, "CD001", 5))
                *ret = MEDIUM_CDROM;
        else if (st.st_size < SECTOR || !has_bytes(fd, SECTOR - 2, "\x55\xaa", 2))
                return fail_medium(path, ret_error);
        else
                *ret = st.st_size <= FLOPPY_SIZE_MAX ? MEDIUM_FLOPPY : MEDIUM_DISK;
        return 0;
}

unsigned domain_default_memory(unsigned total_mib)
{
        unsigned half = total_mib / 2;

        if (total_mib == 0)
                return 4096;
        if (half >= 16384)
                return 16384;
        return half >= 1024 ? half / 1024 * 1024 : MAX(128U, half / 128 * 128);
}

/* --- the parts -------------------------------------------------------------------------------- */

/* QEMU emulates no enlightenments of Hyper-V. Linux knows these and Windows is faster by them. */
static const char skeleton_kvm[] =
        "<domain type='kvm'>\n"
        "  <name/>\n"
        "  <memory unit='MiB'/>\n"
        "  <vcpu placement='static'>1</vcpu>\n"
        "  <os>\n"
        "    <type arch='x86_64' machine='q35'>hvm</type>\n"
        "  </os>\n"
        "  <features>\n"
        "    <acpi/>\n"
        "    <apic/>\n"
        "    <hyperv mode='custom'>\n"
        "      <relaxed state='on'/>\n"
        "      <vapic state='on'/>\n"
        "      <spinlocks state='on' retries='8191'/>\n"
        "    </hyperv>\n"
        "  </features>\n"
        "  <cpu mode='host-passthrough'/>\n"
        "  <clock offset='utc'>\n"
        "    <timer name='rtc' tickpolicy='catchup'/>\n"
        "    <timer name='pit' tickpolicy='delay'/>\n"
        "    <timer name='hpet' present='no'/>\n"
        "    <timer name='hypervclock' present='yes'/>\n"
        "  </clock>\n"
        "  <devices/>\n"
        "</domain>\n";

static const char skeleton_qemu[] =
        "<domain type='qemu'>\n"
        "  <name/>\n"
        "  <memory unit='MiB'/>\n"
        "  <vcpu placement='static'>1</vcpu>\n"
        "  <os>\n"
        "    <type arch='x86_64' machine='q35'>hvm</type>\n"
        "  </os>\n"
        "  <features>\n"
        "    <acpi/>\n"
        "    <apic/>\n"
        "  </features>\n"
        "  <cpu mode='maximum'/>\n"
        "  <clock offset='utc'/>\n"
        "  <devices/>\n"
        "</domain>\n";

static void set_all(xmlNode *n, const char *const *pairs)
{
        for (; pairs[0]; pairs += 2)
                (void) xml_set(n, pairs[0], pairs[1]);
}

#define SET(n, ...) set_all((n), (const char *const[]) { __VA_ARGS__, NULL })

/* order: of booting. */
static xmlNode *add_disk(xmlNode *domain, const char *device, const char *path, const char *format, const char *target,
                         const char *bus, const char *order)
{
        xmlNode *disk = domain_add_device(domain, "disk");

        SET(disk, "type", "file", "device", device);
        SET(xml_add(disk, "driver"), "name", "qemu", "type", format);
        SET(xml_add(disk, "source"), "file", path);
        SET(xml_add(disk, "target"), "dev", target, "bus", bus);
        SET(xml_add(disk, "boot"), "order", order);
        return disk;
}

static void add_medium(xmlNode *domain, const struct domain_create *c)
{
        xmlNode *disk = NULL;

        switch (c->kind) {
        case MEDIUM_NONE:
                return;
        case MEDIUM_CDROM:
                disk = add_disk(domain, "cdrom", c->medium, "raw", "sda", "sata", "1");
                break;
        case MEDIUM_FLOPPY:
                disk = add_disk(domain, "floppy", c->medium, "raw", "fda", "fdc", "1");
                break;
        case MEDIUM_DISK:
                disk = add_disk(domain, "disk", c->medium, "raw", "sda", "usb", "1");
                break;
        }
        (void) xml_add(disk, "readonly");
}

static void add_disks(xmlNode *domain, const struct domain_create *c)
{
        xmlNode *disk = add_disk(domain, "disk", c->disk, c->disk_format, "vda", "virtio", "2");

        (void) xml_set(xml_child(disk, "driver"), "discard", "unmap");
        add_medium(domain, c);
}

static void add_network(xmlNode *domain)
{
        xmlNode *interface = domain_add_device(domain, "interface");

        SET(interface, "type", "network");
        SET(xml_add(interface, "source"), "network", "default");
        SET(xml_add(interface, "model"), "type", "virtio");
}

static void add_tpm(xmlNode *domain)
{
        xmlNode *tpm = domain_add_device(domain, "tpm");

        SET(tpm, "model", "tpm-crb");
        SET(xml_add(tpm, "backend"), "type", "emulator", "version", "2.0");
}

/* For the installation; every firmware and every installer has a driver for VGA. */
static void add_screen(xmlNode *domain)
{
        xmlNode *graphics = domain_add_device(domain, "graphics");

        SET(graphics, "type", "vnc", "port", "-1", "autoport", "yes");
        SET(xml_add(graphics, "listen"), "type", "address", "address", "127.0.0.1");
        SET(xml_add(domain_add_device(domain, "video"), "model"), "type", "vga");
        SET(domain_add_device(domain, "input"), "type", "tablet", "bus", "usb");
}

/* A balloon cannot take back memory that a passed-through device may write to. */
static void add_rest(xmlNode *domain)
{
        xmlNode *rng, *backend, *agent;

        SET(domain_add_device(domain, "controller"), "type", "usb", "model", "qemu-xhci", "ports", "15");
        agent = domain_add_device(domain, "channel");
        SET(agent, "type", "unix");
        SET(xml_add(agent, "target"), "type", "virtio", "name", "org.qemu.guest_agent.0");
        SET(domain_add_device(domain, "memballoon"), "model", "none");
        rng = domain_add_device(domain, "rng");
        SET(rng, "model", "virtio");
        backend = xml_add(rng, "backend");
        SET(backend, "model", "random");
        (void) xml_set_text(backend, "/dev/urandom");
}

char *domain_create(const struct domain_create *c)
{
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        _autofree_ char *error = NULL;
        char memory[16];
        xmlNode *domain;

        if (xml_parse(c->kvm ? skeleton_kvm : skeleton_qemu, &doc, &error) < 0)
                abort();
        domain = xmlDocGetRootElement(doc);
        (void) xml_set_text(xml_child(domain, "name"), c->name);
        (void) snprintf(memory, sizeof(memory), "%u", c->memory_mib);
        (void) xml_set_text(xml_child(domain, "memory"), memory);
        if (c->efi)
                (void) xml_set(xml_child(domain, "os"), "firmware", "efi");
        add_disks(domain, c);
        if (c->network)
                add_network(domain);
        if (c->tpm)
                add_tpm(domain);
        add_screen(domain);
        add_rest(domain);
        return xml_format(doc);
}
