/* SPDX-License-Identifier: Apache-2.0
 *
 * command_completions.c - completions SHELL: a script that completes commands, options and
 * their values in bash, zsh or fish. All three are printed from the tables of options. */
#include <string.h>

#include "commands.h"
#include "help.h"

/* Words that a row's value can be, with spaces between; empty: any. */
static void list_words(char words[1024], const cli_option *option) {
  const char *word;
  size_t used = 0;
  words[0] = 0;
  for (int i = 0, length = 0; (word = cli_word(option, i, &length)) != NULL; i++)
    used += (size_t)snprintf(words + used, 1024 - used, "%s%.*s", i > 0 ? " " : "", length, word);
}

static bool is_file(const cli_option *option) {
  return option->type == CLI_INPUT || option->type == CLI_OUTPUT;
}

/* ---- bash ---- */

static void print_bash_command(const cli_command *command) {
  cli_row rows[CLI_MAX_ROWS];
  const int count = cli_flatten(rows, command);
  printf("    %s)\n      options=\"", command->name);
  for (int i = 0; i < count; i++) printf("%s--%s", i > 0 ? " " : "", rows[i].option->name);
  printf("\"\n      case $before in\n");
  for (int i = 0; i < count; i++) {
    const cli_option *option = rows[i].option;
    char words[1024];
    if (option->argument == NULL) continue;
    list_words(words, option);
    printf("        --%s", option->name);
    if (option->letter != 0) printf(" | -%c", option->letter);
    printf(") ");
    if (words[0] != 0) {
      printf("words=\"%s\"", words);
    } else if (is_file(option) || option->type == CLI_FOLDER) {
      printf("kind=-%c", is_file(option) ? 'f' : 'd');
    } else {
      printf("return");
    }
    printf(" ;;\n");
  }
  printf("      esac\n      ;;\n");
}

static void print_bash(void) {
  /* bash breaks words at "=", so that --name=VALUE comes as three of them */
  puts(
      "# bash completion for masksketch\n"
      "_masksketch() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
      "  local options= words= kind=-f\n"
      "  if [[ $word == = ]]; then word=; elif [[ $before == = ]]; then\n"
      "    before=${COMP_WORDS[COMP_CWORD - 2]}\n"
      "  fi\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)) || { ((COMP_CWORD == 2)) && [[ $before == help ]]; }; then");
  printf("    COMPREPLY=($(compgen -W \"");
  for (const cli_command *c = cli_commands; c->name != NULL; c++) printf("%s ", c->name);
  puts(
      "--help --version\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in");
  for (const cli_command *c = cli_commands; c->name != NULL; c++) print_bash_command(c);
  puts(
      "  esac\n"
      "  if [[ -n $words ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "  elif [[ $word == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
      "  else\n"
      "    local IFS=$'\\n'\n"
      "    COMPREPLY=($(compgen $kind -- \"$word\"))\n"
      "  fi\n"
      "}\n"
      "complete -o filenames -F _masksketch masksketch");
}

/* ---- zsh and fish ---- */

/* Text between single quotes; `special` characters get a backslash. */
static void print_quoted(const char *text, const char *special, const char *quote) {
  for (; *text != 0; text++) {
    if (*text == '\'') {
      printf("%s", quote);
    } else {
      printf(strchr(special, *text) != NULL ? "\\%c" : "%c", *text);
    }
  }
}

static void print_zsh_option(const cli_option *option) {
  char text[HELP_BYTES], words[1024];
  help_describe(text, option);
  list_words(words, option);
  const bool valued = option->argument != NULL; /* then it is taken with = too */
  printf("        ");
  if (option->letter != 0)
    printf("'(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name, option->letter,
           valued ? "+" : "", option->name, valued ? "=" : "");
  else
    printf("'--%s%s[", option->name, valued ? "=" : "");
  print_quoted(text, "[]:\\", "'\\''");
  printf("]");
  if (valued) {
    putchar(':');
    print_quoted(option->argument, "[]:\\", "'\\''");
    putchar(':');
    if (words[0] != 0) {
      printf("(%s)", words);
    } else if (is_file(option)) {
      printf("_files");
    } else {
      printf(option->type == CLI_FOLDER ? "_files -/" : " ");
    }
  }
  printf("' \\\n");
}

static void print_zsh(void) {
  puts("#compdef masksketch\nlocal -a commands=(");
  for (const cli_command *c = cli_commands; c->name != NULL; c++) {
    printf("  '%s:", c->name);
    print_quoted(c->summary, ":\\", "'\\''");
    puts("'");
  }
  puts(
      ")\n"
      "if ((CURRENT == 2)) || { ((CURRENT == 3)) && [[ $words[2] == help ]]; }; then\n"
      "  _describe command commands\n"
      "else\n"
      "  shift words\n"
      "  ((CURRENT--))\n"
      "  case $words[1] in");
  for (const cli_command *c = cli_commands; c->name != NULL; c++) {
    cli_row rows[CLI_MAX_ROWS];
    const int count = cli_flatten(rows, c);
    printf("    %s)\n      _arguments \\\n", c->name);
    for (int i = 0; i < count; i++) print_zsh_option(rows[i].option);
    puts("        '*:file:_files'\n      ;;");
  }
  puts("  esac\nfi");
}

static void print_fish(void) {
  puts(
      "# fish completion for masksketch\n"
      "complete -c masksketch -n __fish_use_subcommand -l help\n"
      "complete -c masksketch -n __fish_use_subcommand -l version\n"
      "complete -c masksketch -f -n '__fish_seen_subcommand_from completions' -a 'bash zsh fish'");
  printf("complete -c masksketch -f -n '__fish_seen_subcommand_from help' -a '");
  for (const cli_command *c = cli_commands; c->name != NULL; c++) printf("%s ", c->name);
  puts("'");
  for (const cli_command *c = cli_commands; c->name != NULL; c++) {
    cli_row rows[CLI_MAX_ROWS];
    const int count = cli_flatten(rows, c);
    printf("complete -c masksketch -f -n __fish_use_subcommand -a %s -d '", c->name);
    print_quoted(c->summary, "\\", "\\'");
    puts("'");
    for (int i = 0; i < count; i++) {
      const cli_option *option = rows[i].option;
      char text[HELP_BYTES], words[1024];
      help_describe(text, option);
      list_words(words, option);
      printf("complete -c masksketch -n '__fish_seen_subcommand_from %s' -l %s", c->name,
             option->name);
      if (option->letter != 0) printf(" -s %c", option->letter);
      if (option->argument != NULL) {
        if (words[0] != 0) printf(" -a '%s'", words);
        printf(is_file(option) || option->type == CLI_FOLDER ? " -r -F" : " -x");
      }
      printf(" -d '");
      print_quoted(text, "\\", "\\'");
      puts("'");
    }
  }
}

static msk_status action(const cli_line *line, msk_error *error) {
  static const struct {
    const char *name;
    void (*print)(void);
  } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
  for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
    if (strcmp(line->inputs[0], shells[i].name) != 0) continue;
    shells[i].print();
    return MSK_OK;
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "completions was given %s, expected one of: bash zsh fish", line->inputs[0]);
}

const cli_usage completions_usage = {"bash|zsh|fish", 1, 1, NULL, 0, .action = action};
