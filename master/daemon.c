/* master/daemon: two forks and a session of its own. Nothing of the daemon
 * holds the starter's standard streams: a shell or a script that waits for
 * their end must not wait for ours. What is said before the start has succeeded
 * goes through a pipe to the starting command, which shows it. */
#include "master/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define COPY_CAP 4096

/* Show what is there. false at the end of it. */
static bool
daemon_copy(int from)
{
	char text[COPY_CAP];
	ssize_t n = read(from, text, sizeof(text));

	return n > 0 && write(STDERR_FILENO, text, (size_t)n) == n;
}

/* The starting command's part: wait for the word, show texts meanwhile. */
static _Noreturn void
daemon_wait(int word_from, int text_from)
{
	struct pollfd p[] = {
	    {.fd = word_from, .events = POLLIN},
	    {.fd = text_from, .events = POLLIN},
	};
	char word = 0;

	while (p[0].revents == 0) {
		if (p[1].revents != 0 && !daemon_copy(text_from))
			p[1].fd = -1;
		p[0].revents = p[1].revents = 0;
		(void)poll(p, 2, -1);
	}
	if (read(word_from, &word, 1) != 1)
		word = 0;
	/* what was said before the word */
	while (poll(&p[1], 1, 0) > 0 && daemon_copy(text_from))
		;
	_exit(word == 'y' ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Nothing comes in, nothing goes out but texts to this descriptor. */
static bool
daemon_streams(int err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool is_well = null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
		       dup2(null, STDOUT_FILENO) >= 0 &&
		       dup2(err >= 0 ? err : null, STDERR_FILENO) >= 0;

	if (null > STDERR_FILENO)
		(void)close(null);
	return is_well;
}

bool
daemon_start(int *tell)
{
	int ends[2];
	int text[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || pipe2(text, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid < 0)
		return false;
	if (pid > 0) {
		(void)close(ends[1]);
		(void)close(text[1]);
		daemon_wait(ends[0], text[0]);
	}
	(void)close(ends[0]);
	(void)close(text[0]);
	if (setsid() < 0)
		return false;
	pid = fork();
	if (pid < 0)
		return false;
	if (pid > 0)
		_exit(EXIT_SUCCESS);
	if (chdir("/") < 0 || !daemon_streams(text[1]))
		return false;
	(void)close(text[1]);
	*tell = ends[1];
	return true;
}

void
daemon_be_quiet(void)
{
	(void)daemon_streams(-1);
}

void
daemon_tell(int *tell)
{
	static const char word = 'y';

	if (*tell < 0)
		return;
	daemon_be_quiet();
	/* when the starting command is gone nobody waits */
	if (write(*tell, &word, 1) < 0)
		(void)word;
	(void)close(*tell);
	*tell = -1;
}
