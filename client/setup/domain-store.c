/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/domain-store.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "client/setup/words.h"
#include "common/config.h"
#include "common/text.h"

struct domain_store {
        virConnect *connection;
        bool is_read_only;
};

DEFINE_CLEANUP(virDomain *, virDomainFree);
DEFINE_CLEANUP(virNetwork *, virNetworkFree);

/* Without one libvirt prints each error to standard error, and we say it again. */
static void on_error(void *userdata, virErrorPtr error)
{
}

/* --- errors ------------------------------------------------------------------------- */

static int errno_of(int code)
{
        switch (code) {
        case VIR_ERR_NO_DOMAIN:
        case VIR_ERR_NO_NETWORK:
                return -ENOENT;
        case VIR_ERR_AUTH_FAILED:
        case VIR_ERR_AUTH_CANCELLED:
        case VIR_ERR_AUTH_UNAVAILABLE:
        case VIR_ERR_ACCESS_DENIED:
        case VIR_ERR_OPERATION_DENIED:
                return -EACCES;
        case VIR_ERR_XML_ERROR:
        case VIR_ERR_XML_DETAIL:
        case VIR_ERR_XML_INVALID_SCHEMA:
        case VIR_ERR_CONFIG_UNSUPPORTED:
        case VIR_ERR_INVALID_ARG:
                return -EINVAL;
        default:
                return -EIO;
        }
}

/* Takes the sentence. */
static void set_error(char **ret_error, char *sentence)
{
        if (ret_error)
                *ret_error = sentence;
        else
                free(sentence);
}

/* What the last call failed of. A schema error has several lines. */
static int fail(char **ret_error)
{
        const virError *error = virGetLastError();
        _autofree_ char *line = xstrdup(error && error->message ? error->message : "libvirt gives no reason");

        for (char *c = line; *c; c++)
                if (*c == '\n' || *c == '\t')
                        *c = ' ';
        set_error(ret_error, text_printable(line));
        return error ? errno_of(error->code) : -EIO;
}

/* --- the connection -------------------------------------------------------------------- */

/* polkit, or the mode of the socket, may refuse what changes anything; to plan it is enough to read. */
int domain_store_open(const char *uri, struct domain_store **ret, char **ret_error)
{
        _cleanup_(domain_store_freep) struct domain_store *s = xnew0(struct domain_store, 1);
        _autofree_ char *error = NULL;
        int e = 0;

        if (virInitialize() < 0)
                return fail(ret_error);
        virSetErrorFunc(NULL, on_error);
        uri = uri ?: LIBVIRT_URI_DEFAULT;
        s->connection = virConnectOpen(uri);
        if (!s->connection) {
                e = fail(&error);
                s->connection = virConnectOpenReadOnly(uri);
                s->is_read_only = true;
        }
        if (!s->connection) {
                set_error(ret_error, TAKE_PTR(error));
                return e;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

struct domain_store *domain_store_free(struct domain_store *s)
{
        if (!s)
                return NULL;
        if (s->connection)
                (void) virConnectClose(s->connection);
        free(s);
        return NULL;
}

bool domain_store_is_read_only(const struct domain_store *s)
{
        return s->is_read_only;
}

/* --- domains ----------------------------------------------------------------------------- */

/* Drivers differ in what they say of a name that there is not. */
static int find(struct domain_store *s, const char *name, virDomain **ret, char **ret_error)
{
        _autofree_ char *printable = NULL, *error = NULL;
        int e;

        *ret = virDomainLookupByName(s->connection, name);
        if (*ret)
                return 0;
        e = fail(&error);
        if (e == -ENOENT)
                *ret = virDomainLookupByUUIDString(s->connection, name);
        if (*ret)
                return 0;
        printable = text_printable(name);
        set_error(ret_error, e == -ENOENT ? xasprintf("libvirt has no domain \"%s\"", printable) : TAKE_PTR(error));
        return e;
}

static int is_persistent(virDomain *domain, const char *name, char **ret_error)
{
        int persistent = virDomainIsPersistent(domain);

        if (persistent < 0)
                return fail(ret_error);
        if (persistent)
                return 0;
        set_error(ret_error, xasprintf("domain %s runs without a definition that would be kept", name));
        return -ENOENT;
}

int domain_store_read(struct domain_store *s, const char *name, char **ret_xml, char **ret_error)
{
        unsigned flags = VIR_DOMAIN_XML_INACTIVE | (s->is_read_only ? 0 : VIR_DOMAIN_XML_SECURE);
        _cleanup_(virDomainFreep) virDomain *domain = NULL;
        int e = find(s, name, &domain, ret_error);

        if (e == 0)
                e = is_persistent(domain, name, ret_error);
        if (e < 0)
                return e;
        *ret_xml = virDomainGetXMLDesc(domain, flags);
        return *ret_xml ? 0 : fail(ret_error);
}

int domain_store_define(struct domain_store *s, const char *xml, char **ret_error)
{
        _cleanup_(virDomainFreep) virDomain *domain =
                virDomainDefineXMLFlags(s->connection, xml, VIR_DOMAIN_DEFINE_VALIDATE);

        return domain ? 0 : fail(ret_error);
}

/* Each that a libvirt does not know is left out: none of them makes less be
 * removed, and without the first a domain with variables of a firmware is refused. */
int domain_store_undefine(struct domain_store *s, const char *name, char **ret_error)
{
        static const unsigned flags[] = {
#if LIBVIR_VERSION_NUMBER >= 8009000
                VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM,
#endif
                VIR_DOMAIN_UNDEFINE_KEEP_NVRAM,
                0,
        };
        _cleanup_(virDomainFreep) virDomain *domain = NULL;
        int e = find(s, name, &domain, ret_error);

        if (e < 0)
                return e;
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                if (virDomainUndefineFlags(domain, flags[i]) == 0)
                        return 0;
                if (virGetLastErrorCode() != VIR_ERR_INVALID_ARG)
                        break;
        }
        return fail(ret_error);
}

int domain_store_is_running(struct domain_store *s, const char *name, char **ret_error)
{
        _cleanup_(virDomainFreep) virDomain *domain = NULL;
        int e = find(s, name, &domain, ret_error);

        if (e < 0)
                return e;
        e = virDomainIsActive(domain);
        return e < 0 ? fail(ret_error) : e;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int domain_store_list(struct domain_store *s, char ***ret, char **ret_error)
{
        char **names = xnew0(char *, 1);
        virDomain **domains = NULL;
        int n = virConnectListAllDomains(s->connection, &domains, VIR_CONNECT_LIST_DOMAINS_PERSISTENT);

        for (int i = 0; i < n; i++) {
                words_add(&names, virDomainGetName(domains[i]));
                (void) virDomainFree(domains[i]);
        }
        free(domains);
        if (n < 0) {
                (void) strv_free(names);
                return fail(ret_error);
        }
        qsort(names, (size_t) n, sizeof(*names), compare);
        *ret = names;
        return 0;
}

int domain_store_find_network(struct domain_store *s, const char *name, char **ret_error)
{
        _cleanup_(virNetworkFreep) virNetwork *network = virNetworkLookupByName(s->connection, name);
        int active;

        if (!network)
                return fail(ret_error);
        active = virNetworkIsActive(network);
        return active < 0 ? fail(ret_error) : active;
}
