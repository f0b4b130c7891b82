/* sec_xml: a body as XML, read by libxml2's event interface: no tree, no
 * network, no external subset, no entity but the five of XML itself. */
#ifdef HAVE_LIBXML2
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "common/base/check.h"
#include "worker/sec/sec_multipart.h"
#include "worker/sec/sec_tx_int.h"

/* Elements inside each other. */
#define DEPTH_MAX 256u
/* Attributes that rules look at. */
#define ATTRIBUTES_MAX 1000u

struct xml {
	struct sec_tx *tx;
	xmlParserCtxtPtr parser;
	char *text; /* all characters so far: never more than the body */
	size_t len;
	uint32_t depth, n_attributes;
	bool is_refused;
};

static void
refuse(struct xml *x)
{
	x->is_refused = true;
	xmlStopParser(x->parser);
}

static void
on_characters(void *self, const xmlChar *p, int len)
{
	struct xml *x = self;

	/* what libxml2 gives may have grown by decoding its encoding */
	if (x->len + (size_t)len > 4 * x->tx->body.len) {
		refuse(x);
		return;
	}
	memcpy(x->text + x->len, p, (size_t)len);
	x->len += (size_t)len;
}

/* Attributes come as five pointers each: name, prefix, URI, begin and end of
 * the value. */
#define ATTRIBUTE_WORDS 5
#define ATTRIBUTE_BEGIN 3
#define ATTRIBUTE_END 4

struct xml_element {
	const xmlChar **attributes;
	int n;
};

static void
take_attributes(struct xml *x, const struct xml_element *e)
{
	for (int i = 0; i < e->n; i++) {
		const xmlChar **a = e->attributes + i * ATTRIBUTE_WORDS;
		span value = span_of((const char *)a[ATTRIBUTE_BEGIN],
		    (size_t)(a[ATTRIBUTE_END] - a[ATTRIBUTE_BEGIN]));

		if (++x->n_attributes > ATTRIBUTES_MAX) {
			refuse(x);
			return;
		}
		sec_vars_item(x->tx, SEC_VAR_XML, SPAN_LIT("//@*"),
		    arena_span(x->tx->a, value));
	}
}

static void
on_start(void *self, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int n_namespaces, const xmlChar **namespaces,
    int n_attributes, int n_defaulted, const xmlChar **attributes)
{
	struct xml *x = self;
	const struct xml_element e = {attributes, n_attributes};

	(void)name;
	(void)prefix;
	(void)uri;
	(void)n_namespaces;
	(void)namespaces;
	(void)n_defaulted;
	if (++x->depth > DEPTH_MAX)
		refuse(x);
	else
		take_attributes(x, &e);
}

static void
on_end(
    void *self, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct xml *x = self;

	(void)name;
	(void)prefix;
	(void)uri;
	x->depth--;
}

static void
on_doctype(
    void *self, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
	(void)name;
	(void)id;
	(void)system;
	/* entities come with it */
	refuse(self);
}

void
sec_xml_read(struct sec_tx *tx)
{
	xmlSAXHandler on = {.initialized = XML_SAX2_MAGIC,
	    .characters = on_characters,
	    .cdataBlock = on_characters,
	    .ignorableWhitespace = on_characters,
	    .startElementNs = on_start,
	    .endElementNs = on_end,
	    .internalSubset = on_doctype};
	struct xml x = {.tx = tx};
	int rc;

	if (tx->body.len == 0 || tx->body.len > INT32_MAX / 4)
		return;
	x.text = arena_alloc(tx->a, 4 * tx->body.len);
	x.parser = xmlCreatePushParserCtxt(&on, &x, NULL, 0, NULL);
	REQUIRE(x.parser != NULL);
	xmlCtxtUseOptions(x.parser,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	rc = xmlParseChunk(x.parser, tx->body.p, (int)tx->body.len, 1);
	if (rc != 0 || x.is_refused || !x.parser->wellFormed)
		sec_body_fault(tx, "XML parsing error: not well-formed");
	xmlFreeParserCtxt(x.parser);
	sec_vars_item(tx, SEC_VAR_XML, SPAN_LIT("/*"), span_of(x.text, x.len));
}

#endif
