/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Any text is either a domain or refused with a sentence. What was edited is
 * XML again, is not edited further by the same wishes, and with no wish it is
 * not changed at all. The first byte chooses the wishes. */

#include <stdint.h>

#include "client/setup/domain-edit.h"
#include "client/setup/xml-tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pci_device gpu = { .address = "0000:0a:00.0", .class = 0x030000 },
                         sound = { .address = "0000:0a:00.1", .class = 0x040300 };
static const struct pci_device *const functions[] = { &gpu, &sound, NULL };
static struct pci_device all[2];
static const struct pci pci = { .devices = all, .n_devices = 2, .known = true };

static struct cpu_core cores[2];
static const struct cpu cpu = { .vendor = CPU_VENDOR_AMD, .known = true, .cores = cores, .n_cores = 2 };
static struct cpu_proposal cpus = { .cores = 1, .threads = 2 };

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void prepare(void)
{
        if (cores[0].n_threads)
                return;
        all[0] = gpu;
        all[1] = sound;
        for (unsigned i = 0; i < 2; i++) {
                cpu_set_add(&cores[i].threads, i);
                cpu_set_add(&cores[i].threads, i + 2);
                cores[i].n_threads = 2;
        }
        cpus.guest = cores[1].threads;
        cpus.host = cores[0].threads;
}

static struct domain_edit wishes(uint8_t bits)
{
        return (struct domain_edit) {
                .gpus = bits & 1 ? functions : NULL,
                .pci = &pci,
                .managed = bits & 2,
                .guest = bits & 4 ? "win10" : NULL,
                .grab_toggle = GRAB_TOGGLE_META_META,
                .cpu = &cpu,
                .cpus = bits & 8 ? &cpus : NULL,
                .pin = bits & 16,
                .hide_kvm = bits & 32,
                .remove_graphics = bits & 64,
                .cleanup = bits & 128,
        };
}

/* Owned by the caller; NULL: refused. */
static char *edit(const char *text, const struct domain_edit *e)
{
        _cleanup_(plan_clear) struct plan notes = { 0 };
        _autofree_ char *error = NULL;
        char *after = NULL;
        int r = domain_edit(text, e, &notes, &after, &error);

        require((r < 0) == !after && (r < 0) == !!error);
        return after;
}

static char *format(const char *text)
{
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        _autofree_ char *error = NULL;

        require(xml_parse(text, &doc, &error) == 0);
        return xml_format(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const struct domain_edit e = wishes(size ? data[0] : 0), nothing = { .pci = &pci, .cpu = &cpu };
        _autofree_ char *text = xcalloc(size + 1, 1), *after = NULL, *again = NULL, *same = NULL, *written = NULL;

        prepare();
        if (size > 1)
                memcpy(text, data + 1, size - 1);
        after = edit(text, &e);
        if (!after)
                return 0;
        again = edit(after, &e);
        require(again && streq(again, after));
        same = edit(text, &nothing);
        written = format(text);
        require(same && streq(same, written));
        return 0;
}
