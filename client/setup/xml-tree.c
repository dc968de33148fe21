/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/setup/xml-tree.h"

#include <libxml/parser.h>

#include "client/setup/words.h"
#include "common/text.h"

/* What is in a definition comes from others. libxml2 bounds the depth (256) as
 * long as XML_PARSE_HUGE is not set. */
#define XML_SIZE_MAX (4U * 1024 * 1024)

DEFINE_CLEANUP(xmlParserCtxt *, xmlFreeParserCtxt);

/* libxml2 without memory is we without memory. */
static void *need(void *p)
{
        if (!p)
                abort();
        return p;
}

/* --- text to tree ------------------------------------------------------------------- */

static void on_dtd(void *userdata, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
        xmlParserCtxt *parser = userdata;

        *(bool *) parser->_private = true;
        xmlStopParser(parser);
}

static int fail_libxml(xmlParserCtxt *parser, char **ret_error)
{
        const xmlError *error = xmlCtxtGetLastError(parser);
        _autofree_ char *message = NULL;

        if (!error || !error->message) {
                *ret_error = xstrdup("it is no XML");
                return -EINVAL;
        }
        message = xasprintf("line %d: %.*s", error->line, (int) strcspn(error->message, "\n"), error->message);
        *ret_error = text_printable(message);
        return -EINVAL;
}

int xml_parse(const char *text, xmlDoc **ret, char **ret_error)
{
        const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA;
        _cleanup_(xmlFreeParserCtxtp) xmlParserCtxt *parser = need(xmlNewParserCtxt());
        _cleanup_(xmlFreeDocp) xmlDoc *doc = NULL;
        size_t size = strlen(text);
        bool has_dtd = false;

        if (size > XML_SIZE_MAX) {
                *ret_error = xasprintf("it is larger than %u bytes", XML_SIZE_MAX);
                return -EFBIG;
        }
        parser->_private = &has_dtd;
        parser->sax->internalSubset = on_dtd;
        doc = xmlCtxtReadMemory(parser, text, (int) size, NULL, "UTF-8", options);
        if (has_dtd || (doc && doc->intSubset)) {
                *ret_error = xstrdup("it has a document type declaration");
                return -EINVAL;
        }
        if (!doc)
                return fail_libxml(parser, ret_error);
        *ret = TAKE_PTR(doc);
        return 0;
}

/* --- tree to text -------------------------------------------------------------------
 *
 * libvirt escapes more than XML needs and quotes with '. What is in <metadata>
 * it leaves to libxml2, which does neither. */

struct writer {
        char *text;
        size_t n, room;
        bool foreign; /* inside of <metadata> */
};

static void put_bytes(struct writer *w, const char *s, size_t n)
{
        if (w->n + n + 1 > w->room) {
                w->room = 2 * (w->n + n + 1);
                w->text = xreallocarray(w->text, w->room, 1);
        }
        memcpy(w->text + w->n, s, n);
        w->n += n;
        w->text[w->n] = '\0';
}

static void put(struct writer *w, const char *s)
{
        put_bytes(w, s, strlen(s));
}

/* NULL: c stands for itself. */
static const char *escape(const struct writer *w, char c, bool in_attribute)
{
        switch (c) {
        case '&':
                return "&amp;";
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '\r':
                return "&#13;";
        case '\n':
                return in_attribute ? "&#10;" : NULL;
        case '\t':
                return in_attribute ? "&#9;" : NULL;
        case '"':
                return in_attribute || !w->foreign ? "&quot;" : NULL;
        case '\'':
                return w->foreign ? NULL : "&apos;";
        default:
                return NULL;
        }
}

static void put_escaped(struct writer *w, const char *s, bool in_attribute)
{
        for (; *s; s++) {
                const char *escaped = escape(w, *s, in_attribute);

                if (escaped)
                        put(w, escaped);
                else
                        put_bytes(w, s, 1);
        }
}

static void put_name(struct writer *w, const xmlNs *ns, const xmlChar *name)
{
        if (ns && ns->prefix) {
                put(w, (const char *) ns->prefix);
                put(w, ":");
        }
        put(w, (const char *) name);
}

static void put_value(struct writer *w, const char *value)
{
        const char *quote = w->foreign ? "\"" : "'";

        put(w, "=");
        put(w, quote);
        put_escaped(w, value, true);
        put(w, quote);
}

static void put_namespaces(struct writer *w, const xmlNode *n)
{
        for (const xmlNs *ns = n->nsDef; ns; ns = ns->next) {
                put(w, ns->prefix ? " xmlns:" : " xmlns");
                put(w, ns->prefix ? (const char *) ns->prefix : "");
                put_value(w, ns->href ? (const char *) ns->href : "");
        }
}

static void put_attributes(struct writer *w, const xmlNode *n)
{
        for (const xmlAttr *a = n->properties; a; a = a->next) {
                xmlChar *value = xmlNodeListGetString(n->doc, a->children, 1);

                put(w, " ");
                put_name(w, a->ns, a->name);
                put_value(w, value ? (const char *) value : "");
                xmlFree(value);
        }
}

static void put_node(struct writer *w, const xmlNode *n);

static void put_element(struct writer *w, const xmlNode *n)
{
        bool foreign = w->foreign;

        put(w, "<");
        put_name(w, n->ns, n->name);
        if (foreign)
                put_namespaces(w, n);
        put_attributes(w, n);
        if (!foreign)
                put_namespaces(w, n);
        if (!n->children) {
                put(w, "/>");
                return;
        }
        put(w, ">");
        w->foreign |= xml_is(n, "metadata");
        for (const xmlNode *child = n->children; child; child = child->next)
                put_node(w, child);
        w->foreign = foreign;
        put(w, "</");
        put_name(w, n->ns, n->name);
        put(w, ">");
}

static void put_enclosed(struct writer *w, const char *open, const xmlNode *n, const char *close)
{
        put(w, open);
        put(w, n->content ? (const char *) n->content : "");
        put(w, close);
}

static void put_node(struct writer *w, const xmlNode *n)
{
        if (n->type == XML_ELEMENT_NODE) {
                put_element(w, n);
        } else if (n->type == XML_COMMENT_NODE) {
                put_enclosed(w, "<!--", n, "-->");
        } else if (n->type == XML_PI_NODE) {
                put(w, "<?");
                put(w, (const char *) n->name);
                put_enclosed(w, n->content ? " " : "", n, "?>");
        } else if (n->content) {
                put_escaped(w, (const char *) n->content, false);
        }
}

char *xml_format(const xmlDoc *doc)
{
        struct writer w = { .n = 0 };

        for (const xmlNode *n = doc->children; n; n = n->next) {
                put_node(&w, n);
                put(&w, "\n");
        }
        return w.text ?: xstrdup("");
}

/* --- looking ------------------------------------------------------------------------- */

bool xml_is(const xmlNode *n, const char *name)
{
        return n->type == XML_ELEMENT_NODE && !n->ns && streq((const char *) n->name, name);
}

static xmlNode *first_of(xmlNode *n, const char *name)
{
        while (n && !xml_is(n, name))
                n = n->next;
        return n;
}

xmlNode *xml_child(const xmlNode *parent, const char *name)
{
        return parent ? first_of(parent->children, name) : NULL;
}

xmlNode *xml_next(const xmlNode *n, const char *name)
{
        return first_of(n->next, name);
}

static char *take_string(xmlChar *s)
{
        char *copy = xstrdup((const char *) s);

        xmlFree(s);
        return copy;
}

char *xml_get(const xmlNode *n, const char *attribute)
{
        return n ? take_string(xmlGetNoNsProp((xmlNode *) n, (const xmlChar *) attribute)) : NULL;
}

bool xml_has(const xmlNode *n, const char *attribute, const char *value)
{
        _autofree_ char *actual = xml_get(n, attribute);

        return streq_null(actual, value);
}

char *xml_text(const xmlNode *n)
{
        return n ? take_string(xmlNodeGetContent((xmlNode *) n)) : NULL;
}

/* --- changing ------------------------------------------------------------------------- */

bool xml_set(xmlNode *n, const char *attribute, const char *value)
{
        if (xml_has(n, attribute, value))
                return false;
        if (value)
                need(xmlSetProp(n, (const xmlChar *) attribute, (const xmlChar *) value));
        else
                (void) xmlUnsetProp(n, (const xmlChar *) attribute);
        return true;
}

bool xml_set_text(xmlNode *n, const char *text)
{
        _autofree_ char *actual = xml_text(n);

        if (streq_null(actual, text))
                return false;
        for (xmlNode *child = n->children, *next; child; child = next) {
                next = child->next;
                xmlUnlinkNode(child);
                xmlFreeNode(child);
        }
        (void) need(xmlAddChild(n, need(xmlNewDocText(n->doc, (const xmlChar *) text))));
        return true;
}

static bool is_blank(const xmlNode *n)
{
        return n && n->type == XML_TEXT_NODE && n->content &&
               strspn((const char *) n->content, " \t\r\n") == strlen((const char *) n->content);
}

/* The blanks between the start of its line and n; NULL: other things are on the
 * line. Owned by the caller. */
static char *indentation(const xmlNode *n)
{
        const char *newline = is_blank(n->prev) ? strrchr((const char *) n->prev->content, '\n') : NULL;

        return newline ? xstrdup(newline + 1) : NULL;
}

static char *child_indentation(const xmlNode *parent)
{
        _autofree_ char *own = NULL;

        for (const xmlNode *child = parent->children; child; child = child->next) {
                char *found = child->type == XML_ELEMENT_NODE ? indentation(child) : NULL;

                if (found)
                        return found;
        }
        own = indentation(parent);
        return xasprintf("%s  ", own ? own : "");
}

static xmlNode *new_blank(xmlNode *parent, const char *indent)
{
        _autofree_ char *text = xasprintf("\n%s", indent);

        return need(xmlNewDocText(parent->doc, (const xmlChar *) text));
}

static void add_only(xmlNode *parent, xmlNode *n)
{
        _autofree_ char *outer = indentation(parent), *inner = child_indentation(parent);

        (void) need(xmlAddChild(parent, new_blank(parent, inner)));
        (void) need(xmlAddChild(parent, n));
        (void) need(xmlAddChild(parent, new_blank(parent, outer ? outer : "")));
}

/* after: NULL is in front of all. The blanks go in last: two texts side by side become one. */
static xmlNode *add_after(xmlNode *parent, xmlNode *after, const char *name)
{
        xmlNode *n = need(xmlNewDocNode(parent->doc, NULL, (const xmlChar *) name, NULL));
        _autofree_ char *indent = child_indentation(parent);

        if (is_blank(parent->children) && !parent->children->next) {
                xmlNode *blank = parent->children;

                xmlUnlinkNode(blank);
                xmlFreeNode(blank);
        }
        if (!parent->children) {
                add_only(parent, n);
        } else if (after) {
                (void) need(xmlAddNextSibling(after, n));
                (void) need(xmlAddNextSibling(after, new_blank(parent, indent)));
        } else {
                (void) need(xmlAddPrevSibling(parent->children, n));
                (void) need(xmlAddPrevSibling(n, new_blank(parent, indent)));
        }
        return n;
}

static xmlNode *last_not_blank(const xmlNode *parent)
{
        xmlNode *n = parent->last;

        while (n && is_blank(n))
                n = n->prev;
        return n;
}

xmlNode *xml_add(xmlNode *parent, const char *name)
{
        return add_after(parent, last_not_blank(parent), name);
}

static size_t rank_of(const char *const *order, const char *name)
{
        size_t i = 0;

        while (order[i] && !streq(order[i], name))
                i++;
        return i;
}

/* What has no place in the order counts as what stands in front of it. */
xmlNode *xml_add_in_order(xmlNode *parent, const char *name, const char *const *order)
{
        size_t rank = rank_of(order, name);
        xmlNode *after = NULL;

        for (xmlNode *n = parent->children; n; n = n->next)
                if (n->type == XML_ELEMENT_NODE && !n->ns && rank_of(order, (const char *) n->name) <= rank)
                        after = n;
        return add_after(parent, after, name);
}

void xml_remove(xmlNode *n)
{
        xmlNode *blank = n->prev, *parent = n->parent;

        if (is_blank(blank)) {
                xmlUnlinkNode(blank);
                xmlFreeNode(blank);
        }
        xmlUnlinkNode(n);
        xmlFreeNode(n);
        if (parent && is_blank(parent->children) && !parent->children->next) {
                blank = parent->children;
                xmlUnlinkNode(blank);
                xmlFreeNode(blank);
        }
}
