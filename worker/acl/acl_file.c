/* acl/acl_file: the lists that [acl] sections name as files: networks, host
 * names (also in the form of hosts(5)), regular expressions. */
#include "common/base/hostsline.h"
#include "worker/acl/acl_int.h"

/* Expressions are tried one after the other. */
#define FILE_REGEXES_MAX 4096u

void
acl_file_nets(struct linefile *f, struct iptrie *out)
{
	struct ip_prefix prefix;
	span line;

	while (linefile_next(f, &line)) {
		if (ip_prefix_parse(line, &prefix))
			iptrie_add(out, &prefix);
		else
			linefile_error(f, line,
			    "expected an address or a network such as "
			    "10.0.0.0/8, whose bits behind the prefix are 0");
	}
}

static void
file_add_domain(struct linefile *f, struct domains *out, span word)
{
	if (!domains_add(out, word))
		linefile_error(f, word,
		    "'%.*s' is no name of a host, in ASCII (xn--...), such as "
		    "example.com or .example.com",
		    SPAN_FMT(span_first(word, DOMAINS_NAME_MAX)));
}

void
acl_file_domains(struct linefile *f, struct domains *out)
{
	span line;

	domains_reserve(out, linefile_count(f));
	while (linefile_next(f, &line)) {
		span rest = line;
		span word;

		(void)span_word(&rest, &word);
		rest = span_trim(rest);
		if (rest.len == 0) {
			file_add_domain(f, out, word);
			continue;
		}
		if (!hostsline_is_address(word)) {
			linefile_error(f, rest,
			    "a line holds one name, or an address and names as "
			    "in hosts(5)");
			continue;
		}
		while (span_word(&rest, &word))
			if (!hostsline_is_own(word))
				file_add_domain(f, out, word);
	}
}

void
acl_file_regexes(struct linefile *f, struct vec *out)
{
	struct diag *quiet = diag_new();
	uint32_t n = 0;
	span line;

	while (linefile_next(f, &line)) {
		struct regex *re;

		if (n == FILE_REGEXES_MAX) {
			linefile_error(f, line,
			    "more than %u expressions: a list of names belongs "
			    "into a domain_file",
			    FILE_REGEXES_MAX);
			break;
		}
		re = regex_new(line, false, (struct place){0}, quiet);
		if (re == NULL) /* again, to be told where it stands */
			re = regex_new(
			    line, false, linefile_place(f, line), f->d);
		if (re != NULL) {
			vec_push(out, re);
			n++;
		}
	}
	diag_free(quiet);
}
