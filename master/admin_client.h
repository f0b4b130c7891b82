/* master/admin_client: the words of the command line that ask the running
 * gatehouse, over the socket that its configuration names. */
#ifndef GH_ADMIN_CLIENT_H
#define GH_ADMIN_CLIENT_H

#include <jansson.h>

#include "common/serve/fetch.h"
#include "master/cmd.h"

struct admin_client {
	char addr_text[SOCK_ADDR_TEXT_CAP];
	struct sock_addr addr;
	/* An answer that is 200 and an object; `text` is how it came. */
	void (*on_answer)(void *self, const json_t *j, span text);
	void *self;
	bool is_done;
	int rc;
};

/* Find the socket. false: what is wrong was told. */
bool admin_client_find(struct admin_client *c, const struct conf_source *src);
/* Ask and wait; `content` may be empty. The exit status: whatever is wrong is
 * told. */
int admin_client_ask(
    struct admin_client *c, enum http_method method, span target, span content);

/* The text of a key, "-" when it is none. */
const char *admin_text(const json_t *j, const char *key);

#endif
