/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/kernel-token.h"

#include "client/setup/vfio-ids.h"

#define NAME_MAX_LENGTH 32

/* Parameters that guides write, in the spelling of the kernel; it takes - for _. */
static const char *const known[] = {
        "iommu",     "intel_iommu",           "amd_iommu",    "vfio_pci.ids",
        "isolcpus",  "nohz_full",             "rcu_nocbs",    "vfio_pci.disable_vga",
        "kvm.ignore_msrs", "pcie_acs_override", "kvm.report_ignored_msrs", "vfio_iommu_type1.allow_unsafe_interrupts",
};

static unsigned least(unsigned a, unsigned b, unsigned c)
{
        return MIN(MIN(a, b), c);
}

/* How many letters have to be put in, left out or changed. */
static unsigned distance(const char *a, const char *b)
{
        unsigned row[NAME_MAX_LENGTH + 16];
        size_t length = strlen(b);

        for (unsigned j = 0; j <= length; j++)
                row[j] = j;
        for (unsigned i = 1; a[i - 1]; i++) {
                unsigned diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= length; j++) {
                        unsigned above = row[j];

                        row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
                        diagonal = above;
                }
        }
        return row[length];
}

/* The parameter that was meant, NULL: none of ours, or it is spelt right. */
static const char *meant(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (streq(name, known[i]))
                        return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
                unsigned d = distance(name, known[i]);

                if (d <= (strlen(known[i]) > 8 ? 2U : 1U))
                        return known[i];
        }
        /* "vfio-pci=10de:1b80", "vfio.ids=10de:1b80" */
        if (startswith(name, "vfio") && (!strchr(name, '.') || strstr(name, ".id")))
                return "vfio_pci.ids";
        return NULL;
}

static enum kernel_token judge_value(const char *name, const char *value, enum cpu_vendor vendor, char **ret_reason)
{
        if (streq(name, "vfio_pci.ids") && !vfio_ids_are_valid(value)) {
                *ret_reason = xasprintf("\"%s\" is no list of vendor:device", value);
                return KERNEL_TOKEN_MISSPELT;
        }
        if (streq(name, "amd_iommu") && streq(value, "on")) {
                *ret_reason = xstrdup("amd_iommu has no value \"on\"; AMD's IOMMU is on without it");
                return KERNEL_TOKEN_USELESS;
        }
        if ((streq(name, "amd_iommu") && vendor == CPU_VENDOR_INTEL) ||
            (streq(name, "intel_iommu") && vendor == CPU_VENDOR_AMD)) {
                *ret_reason = xasprintf("%s is for another vendor's processor", name);
                return KERNEL_TOKEN_USELESS;
        }
        return KERNEL_TOKEN_FINE;
}

enum kernel_token kernel_token_judge(const char *token, enum cpu_vendor vendor, char **ret_reason)
{
        size_t length = strcspn(token, "=");
        char name[NAME_MAX_LENGTH + 16] = "";
        const char *right;

        if (length == 0 || length >= sizeof(name) || !token[length])
                return KERNEL_TOKEN_FINE;
        for (size_t i = 0; i < length; i++)
                name[i] = token[i] == '-' ? '_' : token[i];
        right = meant(name);
        if (!right)
                return judge_value(name, token + length + 1, vendor, ret_reason);
        *ret_reason = xasprintf("the kernel has no parameter \"%.*s\"; meant is probably \"%s\"", (int) length,
                                token, streq(right, "vfio_pci.ids") ? "vfio-pci.ids" : right);
        return KERNEL_TOKEN_MISSPELT;
}
