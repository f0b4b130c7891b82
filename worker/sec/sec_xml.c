/* sec_xml: a body as XML, read by libxml2's event interface: no tree, no
 * network, no external subset, no entity but the five of XML itself. */
#ifdef HAVE_LIBXML2
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "common/base/check.h"
#include "worker/sec/sec_multipart.h"
#include "worker/sec/sec_scan.h"
#include "worker/sec/sec_tx_int.h"

/* Elements inside each other. */
#define DEPTH_MAX 256u
/* Attributes that rules look at. */
#define ATTRIBUTES_MAX 1000u
/* Namespaces of a document: libxml2 goes through them for each name. */
#define NAMESPACES_MAX 100u
/* Characters may have grown by decoding, into as many bytes of each at most. */
#define GROWTH_MAX 4u

/* "<?xm" of mainframes, which may not say which one it is. */
#define EBCDIC SPAN_LIT("\x4c\x6f\xa7\x94")

struct xml {
	struct sec_tx *tx;
	xmlParserCtxtPtr parser;
	char *text; /* all characters so far */
	size_t len, cap;
	uint32_t depth, n_attributes, n_namespaces;
	bool is_refused;
};

/* libxml2 compares each attribute of a tag with all before it, and tells of none
 * until the tag ends: who writes thousands is found before. A tag has no `<` in
 * it, so that they are counted between two of them; where characters have more
 * than one byte, part of one may look like it, and all are counted together. A
 * value with `=` at its end is counted twice. */
static bool
has_long_tag(span s)
{
	bool is_wide = memchr(s.p, '\0', s.len) != NULL;
	bool is_behind_equals = false;
	uint32_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '<' && !is_wide)
			n = 0;
		if (is_behind_equals && (c == '"' || c == '\'') &&
		    ++n > 2 * ATTRIBUTES_MAX)
			return true;
		is_behind_equals = c == '=' || (is_behind_equals &&
						   (c == '\0' || sec_white(c)));
	}
	return false;
}

static void
refuse(struct xml *x)
{
	x->is_refused = true;
	xmlStopParser(x->parser);
}

static bool
make_room(struct xml *x, size_t len)
{
	size_t cap = x->cap;
	char *p;

	if (x->len + len > GROWTH_MAX * x->tx->body.len)
		return false;
	while (x->len + len > cap)
		cap *= 2;
	if (cap > x->cap) {
		p = arena_alloc(x->tx->a, cap);
		memcpy(p, x->text, x->len);
		x->text = p;
		x->cap = cap;
	}
	return true;
}

static void
on_characters(void *self, const xmlChar *p, int len)
{
	struct xml *x = self;

	if (!make_room(x, (size_t)len)) {
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

/* Encodings of which all readers make the same characters: in others a byte of
 * ASCII is something else, or it depends on the bytes before it. */
static bool
is_plain_encoding(span name)
{
	static const span names[] = {SPAN_LIT("UTF-8"), SPAN_LIT("UTF8"),
	    SPAN_LIT("UTF-16"), SPAN_LIT("UTF-16LE"), SPAN_LIT("UTF-16BE"),
	    SPAN_LIT("US-ASCII"), SPAN_LIT("ASCII"), SPAN_LIT("KOI8-R"),
	    SPAN_LIT("KOI8-U"), SPAN_LIT("Shift_JIS"), SPAN_LIT("EUC-JP"),
	    SPAN_LIT("EUC-KR"), SPAN_LIT("GB2312"), SPAN_LIT("GBK"),
	    SPAN_LIT("GB18030"), SPAN_LIT("Big5")};
	static const span families[] = {
	    SPAN_LIT("ISO-8859-"), SPAN_LIT("windows-125")};

	for (size_t i = 0; i < NELEMS(names); i++)
		if (span_ieq(name, names[i]))
			return true;
	for (size_t i = 0; i < NELEMS(families); i++)
		if (name.len > families[i].len &&
		    span_ieq(span_first(name, families[i].len), families[i]))
			return true;
	return false;
}

/* Whether the document can be read by what it says of its encoding. */
static bool
has_plain_encoding(const struct xml *x)
{
	const xmlChar *said = x->parser->encoding;

	if (said == NULL && x->parser->input != NULL)
		said = x->parser->input->encoding;
	return said == NULL || is_plain_encoding(span_str((const char *)said));
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
	(void)namespaces;
	(void)n_defaulted;
	x->n_namespaces += (uint32_t)n_namespaces;
	if ((x->depth == 0 && !has_plain_encoding(x)) ||
	    ++x->depth > DEPTH_MAX || x->n_namespaces > NAMESPACES_MAX)
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

/* false: it is not well-formed, or has more than it may. */
static bool
read_document(struct xml *x)
{
	xmlSAXHandler on = {.initialized = XML_SAX2_MAGIC,
	    .characters = on_characters,
	    .cdataBlock = on_characters,
	    .ignorableWhitespace = on_characters,
	    .startElementNs = on_start,
	    .endElementNs = on_end,
	    .internalSubset = on_doctype};
	span body = x->tx->body;
	bool is_good;

	if (body.len > INT32_MAX / GROWTH_MAX || has_long_tag(body) ||
	    span_starts(body, EBCDIC))
		return false;
	x->parser = xmlCreatePushParserCtxt(&on, x, NULL, 0, NULL);
	REQUIRE(x->parser != NULL);
	xmlCtxtUseOptions(x->parser,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	is_good = xmlParseChunk(x->parser, body.p, (int)body.len, 1) == 0 &&
		  !x->is_refused && x->parser->wellFormed;
	xmlFreeParserCtxt(x->parser);
	return is_good;
}

void
sec_xml_read(struct sec_tx *tx)
{
	struct xml x = {.tx = tx, .cap = tx->body.len};

	x.text = arena_alloc(tx->a, x.cap);
	if (!read_document(&x))
		sec_body_fault(tx, "XML parsing error: not well-formed");
	sec_vars_item(tx, SEC_VAR_XML, SPAN_LIT("/*"), span_of(x.text, x.len));
}

#endif
