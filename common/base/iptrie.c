/* base/iptrie: binary trie in one array, nodes named by index. */
#include "common/base/iptrie.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

struct trie_node {
	uint32_t child[2]; /* index, 0: none */
	uint32_t value;
	bool has_value;
};

struct iptrie {
	struct trie_node *nodes; /* 0 is the root */
	uint32_t n;
	uint32_t cap;
	size_t n_prefixes;
};

struct iptrie *
iptrie_new(void)
{
	struct iptrie *t = calloc(1, sizeof(*t));

	REQUIRE(t != NULL);
	t->cap = 64;
	t->nodes = calloc(t->cap, sizeof(*t->nodes));
	REQUIRE(t->nodes != NULL);
	t->n = 1;
	return t;
}

void
iptrie_free(struct iptrie *t)
{
	if (t == NULL)
		return;
	free(t->nodes);
	free(t);
}

static uint32_t
trie_node_new(struct iptrie *t)
{
	if (t->n == t->cap) {
		struct trie_node *nodes =
		    reallocarray(t->nodes, t->cap, 2 * sizeof(*nodes));

		REQUIRE(nodes != NULL && t->cap <= UINT32_MAX / 2);
		t->nodes = nodes;
		t->cap *= 2;
	}
	memset(&t->nodes[t->n], 0, sizeof(t->nodes[0]));
	return t->n++;
}

static unsigned
ip_bit(const struct ip *ip, unsigned i)
{
	return ip->b[i / 8] >> (7 - i % 8) & 1;
}

void
iptrie_add(struct iptrie *t, const struct ip_prefix *p, uint32_t value)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < p->bits; i++) {
		unsigned bit = ip_bit(&p->ip, i);
		uint32_t next = t->nodes[at].child[bit];

		if (next == 0) {
			next = trie_node_new(t);
			t->nodes[at].child[bit] = next;
		}
		at = next;
	}
	t->n_prefixes += !t->nodes[at].has_value;
	t->nodes[at].has_value = true;
	t->nodes[at].value = value;
}

bool
iptrie_find(const struct iptrie *t, const struct ip *ip, uint32_t *value)
{
	bool found = false;
	uint32_t at = 0;

	if (t == NULL)
		return false;
	for (unsigned i = 0;; i++) {
		const struct trie_node *n = &t->nodes[at];

		if (n->has_value) {
			found = true;
			if (value != NULL)
				*value = n->value;
		}
		if (i == 128)
			break;
		at = n->child[ip_bit(ip, i)];
		if (at == 0)
			break;
	}
	return found;
}

size_t
iptrie_count(const struct iptrie *t)
{
	return t->n_prefixes;
}
