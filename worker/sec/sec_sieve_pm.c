/* sec_sieve_pm: phrases as positions: each node of their tree is one. */
#include <stdlib.h>

#include "common/base/check.h"
#include "common/base/num.h"
#include "worker/sec/sec_pm.h"
#include "worker/sec/sec_sieve_int.h"

static uint32_t
add_node(struct sec_sieve *s, const struct sec_pm_node *n, int32_t number)
{
	struct sieve_set set = {{0}};
	uint8_t upper = n->label;
	uint32_t at;

	if (n->label >= 'a' && n->label <= 'z')
		upper = (uint8_t)(n->label - 'a' + 'A');
	sieve_set_add(&set, n->label);
	sieve_set_add(&set, upper);
	at = sieve_position_add(s, &set, number);
	s->positions[at].is_last = n->is_end;
	return at;
}

bool
sieve_read_phrases(struct sec_sieve *s, const struct sec_pm *pm, int32_t number)
{
	uint32_t n_nodes = sec_pm_count(pm);
	uint32_t root = s->n_positions - 1; /* node 1 is the next position */

	if (n_nodes - 1 > SEC_SIEVE_PATTERN_MAX)
		return false;
	for (uint32_t i = 1; i < n_nodes; i++) {
		struct sec_pm_node n = sec_pm_node(pm, i);

		(void)add_node(s, &n, number);
	}
	for (uint32_t i = 0; i < n_nodes; i++) {
		struct sec_pm_node n = sec_pm_node(pm, i);
		uint32_t at = root + i;
		struct sieve_numbers children = {0};

		for (uint32_t k = 0; k < n.n_children; k++)
			sieve_push(
			    i == 0 ? &s->first : &children, root + n.child + k);
		sieve_link(
		    s, &(struct sieve_numbers){.at = &at, .n = 1}, &children);
		free(children.at);
	}
	return true;
}
