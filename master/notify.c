/* master/notify: one datagram a message. */
#include "master/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"

static void
notify_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* a manager that does not read must not stop the master */
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_msg(LOG_WARN, "service manager not told error=\"%s\"",
		    strerror(errno));
	(void)close(fd);
}

void
notify_ready(uint32_t generation)
{
	char status[64] = "serving nothing, drained";
	char text[128];

	if (generation > 0)
		(void)snprintf(status, sizeof(status), "serving generation %u",
		    generation);
	(void)snprintf(text, sizeof(text), "READY=1\nMAINPID=%d\nSTATUS=%s\n",
	    (int)getpid(), status);
	notify_send(text);
}

void
notify_reloading(void)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu\n",
	    (unsigned long long)clock_mono_us());
	notify_send(text);
}

void
notify_main(pid_t pid)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "MAINPID=%d\n", (int)pid);
	notify_send(text);
}

void
notify_stopping(void)
{
	notify_send("STOPPING=1\n");
}
