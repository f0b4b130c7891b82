/* sec_pm: see the header. While it is made, the phrases are a tree of linked
 * nodes; then nodes lie level by level, the children of one side by side. A
 * search leaps with a map of which two bytes begin a phrase, and follows nodes
 * only from such places. */
#include "worker/sec/sec_pm.h"

#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"

#define NODES_FIRST 64u
/* One bit for each two bytes. */
#define PAIRS (0x10000 / 8)

struct node {
	uint32_t child; /* the first one; being made: the newest one */
	uint32_t next; /* where to go on; being made: the sibling */
	uint32_t text; /* where a phrase stands that goes through here */
	uint16_t depth;
	uint16_t n_children;
	uint8_t label; /* in lower case */
	bool is_end; /* of a phrase, or of one inside of what was read */
};

struct sec_pm {
	struct node *nodes; /* 0: the root */
	uint32_t n_nodes;
	uint32_t cap;
	char *text; /* the phrases, as they were written */
	size_t len;
	size_t text_cap;
	bool has_short; /* a phrase of one byte: the map is of no use */
	uint32_t root[256]; /* children of the root by byte, both cases */
	uint8_t pairs[PAIRS];
};

static uint8_t
fold(char c)
{
	return (uint8_t)ascii_lower(c);
}

struct sec_pm *
sec_pm_new(void)
{
	struct sec_pm *pm = calloc(1, sizeof(*pm));

	REQUIRE(pm != NULL);
	pm->cap = NODES_FIRST;
	pm->nodes = calloc(pm->cap, sizeof(*pm->nodes));
	REQUIRE(pm->nodes != NULL);
	pm->n_nodes = 1;
	return pm;
}

void
sec_pm_free(struct sec_pm *pm)
{
	if (pm == NULL)
		return;
	free(pm->nodes);
	free(pm->text);
	free(pm);
}

/* --- making it ------------------------------------------------------------ */

static uint32_t
add_node(struct sec_pm *pm, uint32_t parent, char c)
{
	struct node *n;

	if (pm->n_nodes == pm->cap) {
		pm->cap *= 2;
		pm->nodes = realloc(pm->nodes, pm->cap * sizeof(*pm->nodes));
		REQUIRE(pm->nodes != NULL);
	}
	n = &pm->nodes[pm->n_nodes];
	*n = (struct node){.label = fold(c),
	    .text = (uint32_t)pm->len,
	    .depth = (uint16_t)(pm->nodes[parent].depth + 1),
	    .next = pm->nodes[parent].child};
	pm->nodes[parent].child = pm->n_nodes;
	pm->nodes[parent].n_children++;
	return pm->n_nodes++;
}

static uint32_t
linked_child(const struct sec_pm *pm, uint32_t parent, uint8_t label)
{
	uint32_t i = pm->nodes[parent].child;

	while (i != 0 && pm->nodes[i].label != label)
		i = pm->nodes[i].next;
	return i;
}

static void
keep_text(struct sec_pm *pm, span phrase)
{
	if (pm->len + phrase.len > pm->text_cap) {
		pm->text_cap = 2 * (pm->len + phrase.len);
		pm->text = realloc(pm->text, pm->text_cap);
		REQUIRE(pm->text != NULL);
	}
	memcpy(pm->text + pm->len, phrase.p, phrase.len);
	pm->len += phrase.len;
}

bool
sec_pm_add(struct sec_pm *pm, span phrase)
{
	uint32_t at = 0;

	REQUIRE(phrase.len > 0);
	if (phrase.len > SEC_PM_PHRASE_MAX || phrase.len > SEC_PM_MAX - pm->len)
		return false;
	for (size_t i = 0; i < phrase.len; i++) {
		uint32_t child = linked_child(pm, at, fold(phrase.p[i]));

		if (child == 0)
			child = add_node(pm, at, phrase.p[i]);
		at = child;
	}
	pm->nodes[at].is_end = true;
	pm->has_short = pm->has_short || phrase.len == 1;
	keep_text(pm, phrase);
	return true;
}

/* Level by level: the children of a node come to lie side by side. */
static void
lay_out(struct sec_pm *pm)
{
	struct node *to = calloc(pm->n_nodes, sizeof(*to));
	uint32_t n = 1;

	REQUIRE(to != NULL);
	to[0] = pm->nodes[0];
	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = to[i].child;

		to[i].child = n;
		for (; from != 0; from = pm->nodes[from].next)
			to[n++] = pm->nodes[from];
	}
	REQUIRE(n == pm->n_nodes);
	free(pm->nodes);
	pm->nodes = to;
}

static uint32_t
child_of(const struct sec_pm *pm, uint32_t at, uint8_t label)
{
	const struct node *n = &pm->nodes[at];

	for (uint32_t i = n->child; i < n->child + n->n_children; i++) {
		if (pm->nodes[i].label == label)
			return i;
	}
	return 0;
}

/* Where to go from `at` with a byte: to the longest beginning of a phrase that
 * ends with it. */
static uint32_t
step(const struct sec_pm *pm, uint32_t at, uint8_t label)
{
	while (at != 0) {
		uint32_t to = child_of(pm, at, label);

		if (to != 0)
			return to;
		at = pm->nodes[at].next;
	}
	return pm->root[label];
}

/* Of each node, the longest beginning of a phrase that is an end of what was
 * read. Those of a level are there when the next one is looked at. */
static void
link_up(struct sec_pm *pm)
{
	struct node *nodes = pm->nodes;

	for (uint32_t i = 0; i < pm->n_nodes; i++) {
		for (uint32_t k = 0; k < nodes[i].n_children; k++) {
			struct node *child = &nodes[nodes[i].child + k];

			child->next =
			    i == 0 ? 0 : step(pm, nodes[i].next, child->label);
			if (nodes[child->next].is_end)
				child->is_end = true;
		}
	}
}

static void
map_pair(struct sec_pm *pm, unsigned first, unsigned second)
{
	unsigned pair = first << 8 | second;

	pm->pairs[pair >> 3] |= (uint8_t)(1u << (pair & 7));
}

static char
upper(uint8_t label)
{
	return (char)(label >= 'a' && label <= 'z' ? label ^ 0x20 : label);
}

static void
map_root(struct sec_pm *pm)
{
	for (uint32_t i = 0; i < pm->nodes[0].n_children; i++) {
		uint32_t at = pm->nodes[0].child + i;
		const struct node *a = &pm->nodes[at];

		pm->root[a->label] = at;
		pm->root[(uint8_t)upper(a->label)] = at;
		for (uint32_t k = 0; k < a->n_children; k++) {
			uint8_t b = pm->nodes[a->child + k].label;

			map_pair(pm, a->label, b);
			map_pair(pm, (uint8_t)upper(a->label), b);
			map_pair(pm, a->label, (uint8_t)upper(b));
			map_pair(
			    pm, (uint8_t)upper(a->label), (uint8_t)upper(b));
		}
	}
}

void
sec_pm_done(struct sec_pm *pm)
{
	lay_out(pm);
	map_root(pm);
	link_up(pm);
}

uint32_t
sec_pm_count(const struct sec_pm *pm)
{
	return pm->n_nodes;
}

struct sec_pm_node
sec_pm_node(const struct sec_pm *pm, uint32_t node)
{
	const struct node *n = &pm->nodes[node];

	return (struct sec_pm_node){.label = n->label,
	    .is_end = n->is_end,
	    .child = n->child,
	    .n_children = n->n_children};
}

/* --- asking it ------------------------------------------------------------ */

static bool
has_pair(const struct sec_pm *pm, const char *p)
{
	unsigned pair = (unsigned)(uint8_t)p[0] << 8 | (uint8_t)p[1];

	return pm->pairs[pair >> 3] >> (pair & 7) & 1;
}

/* The next place at or behind `at` where a phrase may begin; text.len: none. */
static size_t
leap(const struct sec_pm *pm, span text, size_t at)
{
	if (pm->has_short)
		return at;
	for (; at + 1 < text.len; at++) {
		if (has_pair(pm, text.p + at))
			return at;
	}
	return text.len;
}

bool
sec_pm_find(const struct sec_pm *pm, span text, span *hit)
{
	size_t i = 0;

	while ((i = leap(pm, text, i)) < text.len) {
		uint32_t at = pm->root[(uint8_t)text.p[i]];

		/* while more than one byte of a phrase was read */
		do {
			const struct node *n = &pm->nodes[at];

			if (n->is_end) {
				if (hit != NULL)
					*hit = span_of(
					    pm->text + n->text, n->depth);
				return true;
			}
			if (++i == text.len)
				return false;
			at = step(pm, at, fold(text.p[i]));
		} while (pm->nodes[at].depth > 1);
		/* a place of its own may begin here */
	}
	return false;
}
