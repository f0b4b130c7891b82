/* master/main: the command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "master/cmd.h"
#include "master/title.h"
#include "master/upgrade.h"

#define DEFAULT_PATH GH_SYSCONFDIR "/gatehouse/gatehouse.ini"

static const char usage[] =
    "usage: gatehouse [-c FILE]             run\n"
    "       gatehouse [-c FILE] -t          check the configuration\n"
    "       gatehouse [-c FILE] -T          print the effective one\n"
    "       gatehouse [-c FILE] -s WORD     signal the running one: reload\n"
    "                                       reopen upgrade quit stop drain\n"
    "       gatehouse status [--json | --top] [-c FILE]   ask the running one\n"
    "       gatehouse top [--once [--json]] [-c FILE]\n"
    "       gatehouse purge URL | 'URL*' | --tag TAG ... | --all\n"
    "                 [--soft] [--cache NAME] [-c FILE]\n"
    "       gatehouse server UPSTREAM SERVER [drain|down|up|ready|auto|\n"
    "                 weight N] [--forget] [-c FILE]\n"
    "       gatehouse ban list | add IP TIME | remove IP [-c FILE]\n"
    "       gatehouse maintenance on|off|auto SITE [-c FILE]\n"
    "       gatehouse explain METHOD URL [-H 'NAME: VALUE'] ...\n"
    "                 [--from IP] [--listen NAME] [--answer STATUS] [-c FILE]\n"
    "       gatehouse explain --log FILE [--json] [-c FILE]\n"
    "       gatehouse why ID [--json] [-c FILE]\n"
    "       gatehouse why --last N [--refused] [--json] [-c FILE]\n"
    "       gatehouse diff OLD NEW --log FILE [--json]\n"
    "       gatehouse waf test --request RAW [--site HOST] [--from IP]\n"
    "                 [--listen NAME] [--json] [-c FILE]\n"
    "       gatehouse waf suggest --log AUDIT [--all]\n"
    "       gatehouse categories build OUT [NAME:]LIST ...\n"
    "       gatehouse reverse --from ADDRESS --to ADDRESS ... [--print]\n"
    "       gatehouse forward --listen ADDRESS [--allow NETWORK ...]\n"
    "                 [--print]\n"
    "       gatehouse -V                    version, libraries, options\n"
    "       gatehouse -h                    this\n"
    "FILE is " DEFAULT_PATH " when it is not told.\n";

/* Words that this version knows of and does not have. */
static const char *const later[] = {"import"};

static int
main_word(const struct conf_source *src, int argc, char **argv)
{
	if (strcmp(argv[0], "status") == 0)
		return cmd_status(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "top") == 0)
		return cmd_top(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "purge") == 0)
		return cmd_purge(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "server") == 0)
		return cmd_server(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "ban") == 0)
		return cmd_ban(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "why") == 0)
		return cmd_why(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "maintenance") == 0)
		return cmd_maintenance(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "explain") == 0)
		return cmd_explain(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "diff") == 0)
		return cmd_diff(argc - 1, argv + 1);
	if (strcmp(argv[0], "waf") == 0)
		return cmd_waf(src, argc - 1, argv + 1);
	if (strcmp(argv[0], "categories") == 0)
		return cmd_categories(argc - 1, argv + 1);
	if (strcmp(argv[0], "reverse") == 0)
		return cmd_reverse(argc - 1, argv + 1);
	if (strcmp(argv[0], "forward") == 0)
		return cmd_forward(argc - 1, argv + 1);
	for (size_t i = 0; i < NELEMS(later); i++) {
		if (strcmp(argv[0], later[i]) != 0)
			continue;
		(void)fprintf(
		    stderr, "gatehouse: '%s' is not built yet\n", later[i]);
		return EXIT_USAGE;
	}
	(void)fprintf(
	    stderr, "gatehouse: unknown word '%s'\n%s", argv[0], usage);
	return EXIT_USAGE;
}

/* Behind a word as well as alone. */
static bool
is_help(const char *arg)
{
	return strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0;
}

static int
main_action(char action, const struct conf_source *src, const char *word)
{
	switch (action) {
	case 't':
		return cmd_test(src);
	case 'T':
		return cmd_dump(src);
	case 's':
		return cmd_signal(src, word);
	case 'V':
		return cmd_version();
	case 'h':
		(void)fputs(usage, stdout);
		return EXIT_SUCCESS;
	default:
		return master_run(src);
	}
}

int
main(int argc, char **argv)
{
	struct conf_source src = {.path = DEFAULT_PATH};
	static const struct option names[] = {
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	const char *word = NULL;
	char *path = NULL;
	char action = 'r';
	int opt;
	int rc;

	upgrade_remember(argc, argv);
	title_init(argc, argv);
	while (
	    (opt = getopt_long(argc, argv, "+c:tTs:Vh", names, NULL)) != -1) {
		switch (opt) {
		case 'c':
			/* titles overwrite the arguments */
			free(path);
			src.path = path = strdup(optarg);
			REQUIRE(path != NULL);
			break;
		case 's':
			word = optarg;
			action = 's';
			break;
		case 't':
		case 'T':
		case 'V':
		case 'h':
			action = (char)opt;
			break;
		default:
			(void)fputs(usage, stderr);
			free(path);
			return EXIT_USAGE;
		}
	}
	if (optind < argc && optind > 1) {
		(void)fprintf(stderr,
		    "gatehouse: '%s' does not go with options before it\n%s",
		    argv[optind], usage);
		rc = EXIT_USAGE;
	} else if (optind < argc && is_help(argv[argc - 1])) {
		rc = main_action('h', &src, NULL);
	} else if (optind < argc) {
		rc = main_word(&src, argc - optind, argv + optind);
	} else {
		rc = main_action(action, &src, word);
	}
	free(path);
	return rc;
}
