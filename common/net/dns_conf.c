/* net/dns_conf: reads resolv.conf (by the library) and the hosts file. Decides
 * what names are known without asking; hosts(5), RFC 6761. */
#include "common/net/dns_conf.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"

#define HOSTS_PATH "/etc/hosts"
/* What is behind it is not read: it is no file that people wrote. */
#define HOSTS_MAX (4u * 1024 * 1024)

/* --- the hosts file ------------------------------------------------------- */

/* A name and its answer in one piece of memory. */
struct hosts_entry {
	struct dns_answer answer;
	char name[];
};

static void
hosts_add(struct dns_conf *c, span name, const struct ip *ip)
{
	struct hosts_entry *e = map_get(&c->hosts, name);

	if (e == NULL) {
		e = calloc(1, sizeof(*e) + name.len);
		REQUIRE(e != NULL);
		memcpy(e->name, name.p, name.len);
		e->answer.rc = DNS_OK;
		(void)map_put(&c->hosts, span_of(e->name, name.len), e);
	}
	if (e->answer.n < DNS_ADDRS_MAX)
		e->answer.addrs[e->answer.n++] = *ip;
}

/* "ADDRESS NAME [NAME ...] [# comment]" */
static void
hosts_line(struct dns_conf *c, span line)
{
	struct ip ip;
	span word;
	ptrdiff_t hash = span_chr(line, '#');

	if (hash >= 0)
		line = span_first(line, (size_t)hash);
	if (!span_word(&line, &word) || !ip_parse(word, &ip))
		return;
	while (span_word(&line, &word))
		hosts_add(c, word, &ip);
}

static void
hosts_read(struct dns_conf *c)
{
	int fd = open(HOSTS_PATH, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text;
	size_t len = 0;
	ssize_t n;
	span rest;
	span line;

	if (fd < 0)
		return;
	text = malloc(HOSTS_MAX);
	REQUIRE(text != NULL);
	while (
	    len < HOSTS_MAX && (n = read(fd, text + len, HOSTS_MAX - len)) > 0)
		len += (size_t)n;
	(void)close(fd);
	rest = span_of(text, len);
	while (rest.len > 0 && span_cut(&rest, '\n', &line)) {
		if (span_ends(line, SPAN_LIT("\r")))
			line.len--;
		hosts_line(c, line);
	}
	free(text);
}

static bool
hosts_is_local(span name)
{
	return span_ieq(name, SPAN_LIT("localhost")) ||
	       span_iends(name, SPAN_LIT(".localhost"));
}

bool
dns_hosts_find(const struct dns_conf *c, span name, struct dns_answer *out)
{
	const struct hosts_entry *e;

	/* the root's dot says that it is whole, which it is here */
	if (span_ends(name, SPAN_LIT(".")))
		name.len--;
	e = map_get(&c->hosts, name);
	if (e != NULL) {
		*out = e->answer;
		return true;
	}
	if (!hosts_is_local(name))
		return false;
	memset(out, 0, sizeof(*out));
	out->rc = DNS_OK;
	(void)ip_parse(SPAN_LIT("127.0.0.1"), &out->addrs[out->n++]);
	(void)ip_parse(SPAN_LIT("::1"), &out->addrs[out->n++]);
	return true;
}

/* --- the library's files -------------------------------------------------- */

/* "a b" becomes "a,b", as the library wants it. */
bool
dns_set_servers(ares_channel channel, span servers)
{
	char *csv = malloc(servers.len + 1);
	size_t n = 0;
	span word;
	int rc;

	REQUIRE(csv != NULL);
	while (span_word(&servers, &word)) {
		if (n > 0)
			csv[n++] = ',';
		memcpy(csv + n, word.p, word.len);
		n += word.len;
	}
	csv[n] = '\0';
	rc = n == 0 ? ARES_SUCCESS : ares_set_servers_ports_csv(channel, csv);
	free(csv);
	return rc == ARES_SUCCESS;
}

/* Let the library read its files into a channel that nobody uses. */
static bool
conf_read(struct dns_conf *c, span servers)
{
	struct ares_options o = {.timeout = 0};
	ares_channel channel;
	bool is_well;

	if (ares_init_options(&channel, &o, 0) != ARES_SUCCESS)
		return false;
	is_well =
	    dns_set_servers(channel, servers) &&
	    ares_save_options(channel, &c->options, &c->mask) == ARES_SUCCESS &&
	    ares_get_servers_ports(channel, &c->servers) == ARES_SUCCESS;
	ares_destroy(channel);
	return is_well;
}

struct dns_conf *
dns_conf_new(span servers)
{
	struct dns_conf *c = calloc(1, sizeof(*c));

	REQUIRE(c != NULL);
	map_init(&c->hosts, true);
	if (ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS &&
	    conf_read(c, servers)) {
		hosts_read(c);
		return c;
	}
	dns_conf_free(c);
	return NULL;
}

void
dns_conf_free(struct dns_conf *c)
{
	if (c == NULL)
		return;
	map_foreach (slot, &c->hosts)
		free(slot->value);
	map_fini(&c->hosts);
	ares_free_data(c->servers);
	ares_destroy_options(&c->options);
	ares_library_cleanup();
	free(c);
}
