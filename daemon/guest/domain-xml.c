/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/guest/domain-xml.h"

#include <ctype.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/text.h"

/* libvirt writes this XML, but what is in it comes from others: it may be huge,
 * deep or full of entities. libxml2 bounds the depth (256) as long as
 * XML_PARSE_HUGE is not set; size and DTDs, without which there are no entities
 * of one's own, are refused here. */

#define XML_SIZE_MAX (1024 * 1024)
#define INPUTS_MAX 256
#define ERROR_SIZE_MAX 256

DEFINE_CLEANUP(xmlDoc *, xmlFreeDoc);
DEFINE_CLEANUP(xmlParserCtxt *, xmlFreeParserCtxt);

/* A message fit to be shown; owned by the caller. */
static char *vmessage(const char *format, va_list ap) _printf_(1, 0);
static char *vmessage(const char *format, va_list ap)
{
        char text[2 * ERROR_SIZE_MAX];
        char *printable;

        (void) vsnprintf(text, sizeof(text), format, ap);
        printable = text_printable(text);
        text_cut(printable, ERROR_SIZE_MAX);
        return printable;
}

static int fail(char **ret_error, const char *format, ...) _printf_(2, 3);
static int fail(char **ret_error, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        *ret_error = vmessage(format, ap);
        va_end(ap);
        return -EINVAL;
}

/* Text to tree. */

static void on_dtd(void *userdata, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
        xmlParserCtxt *parser = userdata;

        *(bool *) parser->_private = true;
        xmlStopParser(parser);
}

static int fail_libxml(xmlParserCtxt *parser, char **ret_error)
{
        const xmlError *error = xmlCtxtGetLastError(parser);

        if (!error || !error->message)
                return fail(ret_error, "it is no XML");
        return fail(ret_error, "line %d: %.*s", error->line, (int) strcspn(error->message, "\n"), error->message);
}

static int read_tree(const char *text, size_t size, xmlDoc **ret, char **ret_error)
{
        const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA;
        _cleanup_(xmlFreeParserCtxtp) xmlParserCtxt *parser = NULL;
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        bool has_dtd = false;

        if (size > XML_SIZE_MAX)
                return fail(ret_error, "it is larger than %d bytes", XML_SIZE_MAX);
        if (memchr(text, '\0', size))
                return fail(ret_error, "there is a NUL byte in it");
        parser = xmlNewParserCtxt();
        if (!parser)
                return fail(ret_error, "libxml2 has no memory");
        parser->_private = &has_dtd;
        parser->sax->internalSubset = on_dtd;
        /* Whatever encoding it claims to have: libvirt hands out UTF-8. */
        doc = xmlCtxtReadMemory(parser, text, (int) size, NULL, "UTF-8", options);
        if (has_dtd || (doc && doc->intSubset))
                return fail(ret_error, "it has a document type declaration");
        if (!doc)
                return fail_libxml(parser, ret_error);
        *ret = TAKE_PTR(doc);
        return 0;
}

/* The tree. libvirt's own elements have no namespace. */

static bool is_element(const xmlNode *n, const char *name)
{
        return n->type == XML_ELEMENT_NODE && !n->ns && streq((const char *) n->name, name);
}

static const xmlNode *find_element(const xmlNode *n, const char *name)
{
        while (n && !is_element(n, name))
                n = n->next;
        return n;
}

static const xmlNode *child(const xmlNode *parent, const char *name)
{
        return parent ? find_element(parent->children, name) : NULL;
}

#define FOR_EACH_CHILD(n, parent, name)                                                            \
        for (const xmlNode *n = child(parent, name); n; n = find_element(n->next, name))

/* libxml2's string as one of ours; owned by the caller. */
static char *take_string(xmlChar *s)
{
        char *copy = xstrdup((const char *) s);

        xmlFree(s);
        return copy;
}

/* Owned by the caller; NULL if n is, or has no such attribute. */
static char *attribute(const xmlNode *n, const char *name)
{
        return n ? take_string(xmlGetNoNsProp((xmlNode *) n, (const xmlChar *) name)) : NULL;
}

static bool attribute_is(const xmlNode *n, const char *name, const char *value)
{
        _autofree_ char *actual = attribute(n, name);

        return streq_null(actual, value);
}

/* Our element in the metadata. Each function takes the value of an attribute,
 * and returns what would have been expected, or NULL. */

static const char *set_adopt(struct domain_metadata *m, const char *value)
{
        if (!streq(value, "yes") && !streq(value, "no"))
                return "\"yes\" or \"no\"";
        m->adopt = streq(value, "yes") ? DOMAIN_ADOPT_YES : DOMAIN_ADOPT_NO;
        return NULL;
}

static const char *set_name(struct domain_metadata *m, const char *value)
{
        if (!target_name_is_valid(value))
                return "one to 32 of a-z 0-9 . _ -, a letter or digit first, and not \"" TARGET_HOST "\"";
        memcpy(m->guest.name, value, strlen(value) + 1);
        m->set_name = true;
        return NULL;
}

static const char *set_toggle(struct domain_metadata *m, const char *value)
{
        _autofree_ char *copy = xstrdup(value);
        const char *names[HOTKEY_KEYS_MAX];
        char *state = NULL;
        unsigned n = 0, bad;

        for (char *name = strtok_r(copy, "+ \t\r\n", &state); name; name = strtok_r(NULL, "+ \t\r\n", &state)) {
                if (n == HOTKEY_KEYS_MAX)
                        return "one to three keys";
                names[n++] = name;
        }
        if (n > 0 && hotkey_parse(names, n, &m->guest.toggle, &bad) < 0)
                return "one to three different names of keys, such as \"leftctrl f1\", or the same one twice";
        if (hotkey_is_in_panic(&m->guest.toggle))
                return "a key that is not part of the panic chord backspace+esc+enter";
        m->set_toggle = true;
        return NULL;
}

static const char *set_route(struct domain_metadata *m, const char *value)
{
        m->guest.route = route_choice_from_string(value);
        m->set_route = true;
        return m->guest.route < 0 ? "\"auto\", \"attach\", \"grant\" or \"virtio\"" : NULL;
}

static const char *set_grab_toggle(struct domain_metadata *m, const char *value)
{
        m->guest.grab_toggle = grab_toggle_from_string(value);
        m->set_grab_toggle = true;
        return m->guest.grab_toggle < 0 ? "\"ctrl-ctrl\", \"alt-alt\", \"shift-shift\" or \"meta-meta\"" : NULL;
}

static const char *set_focus_on_start(struct domain_metadata *m, const char *value)
{
        if (!streq(value, "yes") && !streq(value, "no"))
                return "\"yes\" or \"no\"";
        m->guest.focus_on_start = streq(value, "yes");
        m->set_focus_on_start = true;
        return NULL;
}

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

static const char *set_timeout_ms(struct domain_metadata *m, const char *value)
{
        unsigned long ms = strspn(value, "0123456789") == strlen(value) ? strtoul(value, NULL, 10) : 0;

        if (ms < CONFIG_TIMEOUT_MS_MIN || ms > CONFIG_TIMEOUT_MS_MAX)
                return "a whole number from " TEXT(CONFIG_TIMEOUT_MS_MIN) " to " TEXT(CONFIG_TIMEOUT_MS_MAX);
        m->guest.timeout_ms = (unsigned) ms;
        m->set_timeout_ms = true;
        return NULL;
}

static const struct {
        const char *name;
        const char *(*set)(struct domain_metadata *m, const char *value);
} attributes[] = {
        { "adopt", set_adopt },
        { "name", set_name },
        { "toggle", set_toggle },
        { "route", set_route },
        { "grab-toggle", set_grab_toggle },
        { "focus-on-start", set_focus_on_start },
        { "timeout-ms", set_timeout_ms },
};

static int parse_attribute(const xmlNode *n, const xmlAttr *a, struct domain_metadata *m, char **ret_error)
{
        const char *name = (const char *) a->name;

        for (size_t i = 0; !a->ns && i < ARRAY_SIZE(attributes); i++) {
                _autofree_ char *value = NULL;
                const char *expected;

                if (!streq(name, attributes[i].name))
                        continue;
                value = attribute(n, name);
                expected = attributes[i].set(m, value ?: "");
                if (expected)
                        return fail(ret_error, "\"%s\" is \"%.64s\"; expected %s", name, value ?: "", expected);
                return 0;
        }
        return fail(ret_error, "unknown attribute \"%.64s\"; expected adopt, name, toggle, route, grab-toggle, "
                    "focus-on-start or timeout-ms", name);
}

static int parse_guest(const xmlNode *n, struct domain_metadata *m, char **ret_error)
{
        int r = 0;

        if (m->present)
                return fail(ret_error, "a second element of " DOMAIN_METADATA_URI "; expected one");
        m->present = true;
        if (!streq((const char *) n->name, "guest"))
                return fail(ret_error, "unknown element \"%.64s\"; expected \"guest\"", (const char *) n->name);
        if (xmlFirstElementChild((xmlNode *) n))
                return fail(ret_error, "there are elements in \"guest\"; expected attributes only");
        for (const xmlAttr *a = n->properties; r >= 0 && a; a = a->next)
                r = parse_attribute(n, a, m, ret_error);
        return r;
}

static void parse_metadata(const xmlNode *metadata, struct domain_metadata *m)
{
        char *error = NULL;

        guest_config_init(&m->guest);
        for (const xmlNode *n = metadata ? metadata->children : NULL; n && !error; n = n->next)
                if (n->type == XML_ELEMENT_NODE && n->ns && streq((const char *) n->ns->href, DOMAIN_METADATA_URI))
                        (void) parse_guest(n, m, &error);
        if (!error)
                return;
        *m = (struct domain_metadata) { .present = true, .error = error };
        guest_config_init(&m->guest);
}

/* libvirt's elements. */

/* *ret is owned by the caller. */
static int parse_name(const xmlNode *domain, char **ret, char **ret_error)
{
        const xmlNode *n = child(domain, "name");
        _autofree_ char *name = n ? take_string(xmlNodeGetContent((xmlNode *) n)) : NULL;

        if (!name || !*name || strlen(name) > NAME_MAX)
                return fail(ret_error, "the domain has %s name", name && *name ? "too long a" : "no");
        *ret = TAKE_PTR(name);
        return 0;
}

static int parse_uuid(const xmlNode *domain, char ret[37], char **ret_error)
{
        static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
        const xmlNode *n = child(domain, "uuid");
        _autofree_ char *uuid = n ? take_string(xmlNodeGetContent((xmlNode *) n)) : NULL;

        if (!uuid || strlen(uuid) != sizeof(form) - 1)
                return fail(ret_error, "the domain has no UUID");
        for (size_t i = 0; i < sizeof(form) - 1; i++) {
                if (form[i] == 'x' ? !isxdigit((unsigned char) uuid[i]) : uuid[i] != '-')
                        return fail(ret_error, "\"%s\" is no UUID", uuid);
                ret[i] = (char) tolower((unsigned char) uuid[i]);
        }
        return 0;
}

static bool is_pci_hostdev(const xmlNode *n)
{
        if (!attribute_is(n, "mode", "subsystem"))
                return false;
        return attribute_is(n, "type", "pci") || attribute_is(n, "type", "mdev");
}

/* *ret: owned by the caller; NULL if the device names no node of the host. */
static char *input_path(const xmlNode *n, bool *ret_passthrough)
{
        *ret_passthrough = attribute_is(n, "type", "passthrough");
        if (*ret_passthrough)
                return attribute_is(n, "bus", "virtio") ? attribute(child(n, "source"), "evdev") : NULL;
        return attribute_is(n, "type", "evdev") ? attribute(child(n, "source"), "dev") : NULL;
}

/* Without the attribute QEMU takes its default (ui/input-linux.c). */
static enum grab_toggle input_grab_toggle(const xmlNode *n)
{
        _autofree_ char *text = attribute(child(n, "source"), "grabToggle");

        return text ? grab_toggle_from_string(text) : GRAB_TOGGLE_CTRL_CTRL;
}

static int parse_inputs(const xmlNode *devices, struct domain_xml *d, char **ret_error)
{
        FOR_EACH_CHILD(n, devices, "input") {
                bool passthrough;
                _autofree_ char *path = input_path(n, &passthrough);

                if (!path || !*path)
                        continue;
                if (d->n_inputs == INPUTS_MAX)
                        return fail(ret_error, "the domain has more than %d input devices", INPUTS_MAX);
                d->inputs = xreallocarray(d->inputs, d->n_inputs + 1, sizeof(*d->inputs));
                d->inputs[d->n_inputs++] = (struct domain_input) {
                        .path = TAKE_PTR(path),
                        .passthrough = passthrough,
                        .alias = attribute(child(n, "alias"), "name"),
                        .grab_toggle = input_grab_toggle(n),
                };
        }
        return 0;
}

static int parse_domain(const xmlNode *domain, struct domain_xml *d, char **ret_error)
{
        const xmlNode *devices = child(domain, "devices");
        int r;

        if (!domain || !is_element(domain, "domain"))
                return fail(ret_error, "it is no domain");
        r = parse_name(domain, &d->name, ret_error);
        if (r < 0)
                return r;
        r = parse_uuid(domain, d->uuid, ret_error);
        if (r < 0)
                return r;
        d->is_kvm_or_qemu = attribute_is(domain, "type", "kvm") || attribute_is(domain, "type", "qemu");
        FOR_EACH_CHILD(n, devices, "hostdev")
                d->has_pci_hostdev |= is_pci_hostdev(n);
        parse_metadata(child(domain, "metadata"), &d->metadata);
        return parse_inputs(devices, d, ret_error);
}

int domain_xml_parse(const char *text, size_t size, struct domain_xml **ret, char **ret_error)
{
        _cleanup_(domain_xml_freep) struct domain_xml *d = xnew0(struct domain_xml, 1);
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        int r;

        r = read_tree(text, size, &doc, ret_error);
        if (r < 0)
                return r;
        r = parse_domain(xmlDocGetRootElement(doc), d, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

struct domain_xml *domain_xml_free(struct domain_xml *d)
{
        if (!d)
                return NULL;
        for (size_t i = 0; i < d->n_inputs; i++) {
                free(d->inputs[i].path);
                free(d->inputs[i].alias);
        }
        free(d->inputs);
        guest_config_clear(&d->metadata.guest);
        free(d->metadata.error);
        free(d->name);
        free(d);
        return NULL;
}
