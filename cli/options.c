/* SPDX-License-Identifier: Apache-2.0
 * options.c - see options.h. */
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "app/input.h"
#include "app/nearest.h"
#include "app/output.h"

static const cli_option common_rows[] = {
    {"help", 'h', .type = CLI_MARK, .help = "this text"},
    {"version", .type = CLI_MARK, .help = "the program's version"},
    {.type = CLI_END},
};

/* ---- Looking up ---- */

static int add_rows(cli_row rows[CLI_MAX_ROWS], int count, const cli_option *option, size_t offset,
                    const char *title) {
  for (; option->type != CLI_END; option++) {
    const cli_table *table = option->include;
    if (table != NULL) {
      count = add_rows(rows, count, table->rows, offset + option->offset,
                       table->title != NULL ? table->title : title);
    } else if (count < CLI_MAX_ROWS) {
      rows[count++] = (cli_row){option, title, offset + option->offset, false};
    }
  }
  return count;
}

int cli_flatten(cli_row rows[CLI_MAX_ROWS], const cli_command *command) {
  const cli_option *own = command->usage->options;
  const int count = own != NULL ? add_rows(rows, 0, own, 0, NULL) : 0;
  return add_rows(rows, count, common_rows, 0, "General");
}

static cli_row *find_row(cli_row *rows, int count, const char *name, size_t length) {
  for (int i = 0; i < count; i++) {
    const char *candidate = rows[i].option->name;
    if (strlen(candidate) == length && memcmp(candidate, name, length) == 0) return &rows[i];
  }
  return NULL;
}

static cli_row *find_letter(cli_row *rows, int count, char letter) {
  for (int i = 0; i < count; i++) {
    if (letter != 0 && rows[i].option->letter == letter) return &rows[i];
  }
  return NULL;
}

bool cli_given(const cli_line *line, const char *name) {
  for (int i = 0; i < line->row_count; i++) {
    if (strcmp(line->rows[i].option->name, name) == 0) return line->rows[i].given;
  }
  return false;
}

msk_status cli_exclude(const cli_line *line, const char *name, const char *other,
                       msk_error *error) {
  if (!cli_given(line, name) || !cli_given(line, other)) return MSK_OK;
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "--%s and --%s contradict each other: leave one of them out", name, other);
}

msk_status cli_find_command(const cli_command **command, const char *name, msk_error *error) {
  const char *best = "";
  int least = INT_MAX;
  for (const cli_command *c = cli_commands; c->name != NULL; c++) {
    if (strcmp(c->name, name) == 0) {
      *command = c;
      return MSK_OK;
    }
    int edits = nearest_edits(name, strlen(name), c->name);
    if (edits < least) least = edits, best = c->name;
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "there is no command %s; the nearest is %s: masksketch --help lists them all",
                  name, best);
}

/* What other programs call an option, so that who comes from them is sent to ours. */
static const struct {
  const char *word, *name;
} elsewhere[] = {
    {"host", "listen"},
    {"bind", "listen"},
    {"address", "listen"},
    {"cfg", "guidance"},
    {"cfg-scale", "guidance"},
    {"guidance-scale", "guidance"},
    {"batch", "count"},
    {"batch-size", "count"},
    {"num-images", "count"},
    {"prompt", "class"},
    {"label", "class"},
    {"num-inference-steps", "steps"},
    {"checkpoint", "model"},
    {"weights", "model"},
    {"outfile", "output"},
    {"jobs", "threads"},
    {"control-strength", "lambda"},
    {"overwrite", "force"},
};

/* Our option for another program's word, whose parts _ may join; NULL for other words. */
static const char *find_elsewhere(const char *word, size_t length) {
  char dashed[32];
  if (length >= sizeof dashed) return NULL;
  for (size_t i = 0; i < length; i++) dashed[i] = word[i] == '_' ? '-' : word[i];
  dashed[length] = 0;
  for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
    if (strcmp(elsewhere[i].word, dashed) == 0) return elsewhere[i].name;
  }
  return NULL;
}

/* The commands that have an option, by its name, or by its letter where name is empty. Returns
 * the option. */
static const cli_option *find_takers(char takers[160], const char *name, size_t length,
                                     char letter) {
  const cli_option *found = NULL;
  takers[0] = 0;
  for (const cli_command *c = cli_commands; c->name != NULL; c++) {
    cli_row rows[CLI_MAX_ROWS];
    int count = cli_flatten(rows, c);
    const cli_row *row =
        length > 0 ? find_row(rows, count, name, length) : find_letter(rows, count, letter);
    if (row == NULL) continue;
    size_t used = strlen(takers);
    snprintf(takers + used, 160 - used, "%s%s", found == NULL ? "" : ", ", c->name);
    found = row->option;
  }
  return found;
}

static msk_status unknown_option(const cli_line *line, const char *written, msk_error *error) {
  const char *name = written + strspn(written, "-"), *command = line->command->name, *best = "";
  const bool is_long = written[1] == '-';
  const size_t length = strcspn(name, "=");
  char takers[160];
  int least = INT_MAX;
  const cli_option *option = find_takers(takers, name, is_long ? length : 0, written[1]);
  /* another command has it: that says more than the nearest name */
  if (option != NULL) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s has no effect in %s; it belongs to %s: leave it out", option->name,
                    command, takers);
  }
  const char *meant = is_long ? find_elsewhere(name, length) : NULL;
  for (int i = 0; i < line->row_count; i++) {
    const char *ours = line->rows[i].option->name;
    int edits = meant != NULL && strcmp(meant, ours) == 0 ? -1 : nearest_edits(name, length, ours);
    if (edits < least) least = edits, best = ours;
  }
  return app_fail(error, MSK_ERROR_ARGUMENT,
                  "%s has no option %s; the nearest is --%s: masksketch %s --help lists them all",
                  command, written, best, command);
}

/* ---- Values ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static msk_status take_int(int *out, const cli_option *row, const char *value, msk_error *error) {
  char *end = NULL;
  errno = 0;
  long number = is_digit(*value) || *value == '-' ? strtol(value, &end, 10) : 0;
  if (end == NULL || end == value || *end != 0 || errno != 0 || number < row->minimum ||
      number > row->maximum) {
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s was given %s, expected a whole number from %d to %d", row->name, value,
                    row->minimum, row->maximum);
  }
  *out = (int)number;
  return MSK_OK;
}

static msk_status take_real(double *out, const cli_option *row, const char *value,
                            msk_error *error) {
  char *end = NULL;
  double number = is_digit(*value) || *value == '.' ? strtod(value, &end) : 0;
  if (end == NULL || end == value || *end != 0 ||
      !(number >= row->minimum && number <= row->maximum)) {
    return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was given %s, expected a number from %d to %d",
                    row->name, value, row->minimum, row->maximum);
  }
  *out = number;
  return MSK_OK;
}

static msk_status take_seed(uint64_t *out, const cli_option *row, const char *value,
                            msk_error *error) {
  char *end = NULL;
  errno = 0;
  unsigned long long number = is_digit(*value) ? strtoull(value, &end, 10) : 0;
  if (end == NULL || *end != 0 || errno != 0) {
    /* what a number below 0 means to other programs */
    const bool is_random = *value == '-' || strncasecmp(value, "rand", 4) == 0;
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--%s was given %s, expected a whole number from 0 to 18446744073709551615%s",
                    row->name, value, is_random ? "; for a random one: --seed $RANDOM" : "");
  }
  *out = number;
  return MSK_OK;
}

const char *cli_word(const cli_option *option, int index, int *length) {
  const char *word = option->word != NULL ? option->word(index) : option->detail;
  if (option->word != NULL) {
    *length = word == NULL ? 0 : (int)strlen(word);
    return word;
  }
  if (option->type != CLI_CHOICE) return NULL; /* whose detail is something else */
  for (; index > 0 && word[0] != 0; index--) {
    word += strcspn(word, " ");
    word += word[0] == ' ';
  }
  *length = (int)strcspn(word, " ");
  return *length > 0 ? word : NULL;
}

static msk_status take_choice(int *out, const cli_option *row, const char *value,
                              msk_error *error) {
  char words[160] = "";
  const char *word;
  for (int i = 0, length = 0; (word = cli_word(row, i, &length)) != NULL; i++) {
    if (strlen(value) == (size_t)length && memcmp(word, value, (size_t)length) == 0) {
      *out = i;
      return MSK_OK;
    }
    const size_t used = strlen(words);
    snprintf(words + used, sizeof words - used, " %.*s", length, word);
  }
  return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was given %s, expected one of:%s", row->name,
                  value, words);
}

static bool is_choice(const cli_option *row, const char *word) {
  int index;
  msk_error ignored;
  return word != NULL && take_choice(&index, row, word, &ignored) == MSK_OK;
}

static msk_status take(void *field, const cli_option *row, const char *value, msk_error *error) {
  switch (row->type) {
    case CLI_FLAG: *(bool *)field = true; return MSK_OK;
    case CLI_TEXT:
    case CLI_INPUT:
    case CLI_OUTPUT:
    case CLI_FOLDER:
      if (*value == 0)
        return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was given an empty text, expected %s",
                        row->name, row->argument);
      *(const char **)field = value;
      return MSK_OK;
    case CLI_INT: return take_int(field, row, value, error);
    case CLI_REAL: return take_real(field, row, value, error);
    case CLI_SEED: return take_seed(field, row, value, error);
    case CLI_CHOICE: return take_choice(field, row, value, error);
    case CLI_CALL: return row->take(field, row, value, error);
    case CLI_END:
    case CLI_INCLUDE:
    case CLI_MARK: break;
  }
  return MSK_OK;
}

static void *field_of(void *options, const cli_row *row) { return (char *)options + row->offset; }

static msk_status set_initial(cli_line *line, void *options, msk_error *error) {
  msk_status status = MSK_OK;
  memset(options, 0, line->command->usage->bytes);
  for (int i = 0; i < line->row_count && status == MSK_OK; i++) {
    const cli_option *option = line->rows[i].option;
    void *field = field_of(options, &line->rows[i]);
    if (option->initial != NULL) {
      status = take(field, option, option->initial, error);
    } else if (option->type == CLI_CHOICE) {
      *(int *)field = -1;
    }
  }
  return status;
}

/* ---- The command line ---- */

static bool is_option(const char *argument) {
  char takers[160];
  size_t length = argument[0] == '-' && argument[1] == '-' ? strcspn(argument + 2, "=") : 0;
  return length > 0 && find_takers(takers, argument + 2, length, 0) != NULL;
}

/* One argument that begins with '-'. *index moves on over a value that stands in the next
 * argument. */
static msk_status parse_option(cli_line *line, void *options, int argc, char **argv, int *index,
                               msk_error *error) {
  const char *written = argv[*index], *value = NULL;
  cli_row *row = NULL;
  if (written[1] == '-') {
    const size_t length = strcspn(written + 2, "=");
    row = find_row(line->rows, line->row_count, written + 2, length);
    if (written[2 + length] == '=') value = written + 2 + length + 1;
  } else {
    row = find_letter(line->rows, line->row_count, written[1]);
    if (written[2] != 0) value = written + 2;
  }
  if (row == NULL) return unknown_option(line, written, error);
  const cli_option *option = row->option;
  if (option->argument == NULL && value != NULL) {
    return app_fail(error, MSK_ERROR_ARGUMENT, "--%s takes no value, but %s was given",
                    option->name, value);
  }
  const char *next = *index + 1 < argc ? argv[*index + 1] : NULL;
  /* where the value may be left out, the next argument is one only if it is one of its words */
  if (value == NULL && option->bare != NULL && !is_choice(option, next)) value = option->bare;
  if (option->argument != NULL && value == NULL) {
    /* a forgotten value must not swallow the option behind it */
    if (next == NULL || is_option(next)) {
      return app_fail(error, MSK_ERROR_ARGUMENT, "--%s needs a value (%s), but %s follows",
                      option->name, option->argument, next == NULL ? "nothing" : next);
    }
    value = next;
    *index += 1;
  }
  row->given = true;
  return take(field_of(options, row), option, value, error);
}

/* Whether all is there that the command needs, and nothing more. */
static msk_status check_needed(const cli_line *line, msk_error *error) {
  const char *name = line->command->name;
  const cli_usage *usage = line->command->usage;
  if (line->input_count < usage->least_inputs) {
    return app_fail(error, MSK_ERROR_ARGUMENT, "%s was given no input, expected masksketch %s %s",
                    name, name, usage->arguments);
  }
  if (line->input_count > usage->most_inputs) {
    return app_fail(error, MSK_ERROR_ARGUMENT, "%s does not expect %s: masksketch %s %s", name,
                    line->inputs[usage->most_inputs], name, usage->arguments);
  }
  for (int i = 0; i < line->row_count; i++) {
    const cli_option *option = line->rows[i].option;
    if (option->needed != NULL && !line->rows[i].given)
      return app_fail(error, MSK_ERROR_ARGUMENT, "--%s was not given, expected %s", option->name,
                      option->needed);
  }
  return MSK_OK;
}

/* The text of an option that was given; NULL: it was not, or has none. */
static const char *text_of(const cli_line *line, const cli_row *row) {
  const void *field = (const char *)line->options + row->offset;
  const cli_type type = row->option->type;
  const bool has_text = type == CLI_INPUT || type == CLI_OUTPUT;
  return has_text && row->given ? *(const char *const *)field : NULL;
}

static msk_status check_streams(const cli_line *line, msk_error *error) {
  int readers = 0, writers = cli_given(line, "json");
  for (int i = 0; i < line->input_count; i++) readers += input_is_stdin(line->inputs[i]);
  for (int i = 0; i < line->row_count; i++) {
    const char *text = text_of(line, &line->rows[i]);
    if (text == NULL || !input_is_stdin(text)) continue;
    /* "-" is standard input where a file is read, and standard output where one is written */
    *(line->rows[i].option->type == CLI_INPUT ? &readers : &writers) += 1;
  }
  if (readers > 1)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "several inputs are read from standard input, expected one: name the others");
  if (writers > 1)
    return app_fail(
        error, MSK_ERROR_ARGUMENT,
        "several results were sent to standard output, expected one: give the others names");
  return MSK_OK;
}

msk_status cli_parse(cli_line *line, void *options, const cli_command *command, int argc,
                     char **argv, msk_error *error) {
  *line = (cli_line){.command = command, .options = options, .inputs = argv};
  line->row_count = cli_flatten(line->rows, command);
  msk_status status = set_initial(line, options, error);
  bool only_inputs = false;
  for (int i = 2; i < argc && status == MSK_OK; i++) {
    char *argument = argv[i];
    if (only_inputs || argument[0] != '-' || argument[1] == 0) {
      /* never ahead of i: argv[0] and the command have been read */
      line->inputs[line->input_count++] = argument;
    } else if (strcmp(argument, "--") == 0) {
      only_inputs = true;
    } else {
      status = parse_option(line, options, argc, argv, &i, error);
    }
  }
  if (status == MSK_OK) status = check_needed(line, error);
  return status == MSK_OK ? check_streams(line, error) : status;
}

/* ---- Outputs ---- */

/* `path` as it was given, and the name of the file that is written. */
static msk_status check_others(const cli_line *line, const char *option, const char *path,
                               const char *name, msk_error *error) {
  for (int i = 0; i < line->input_count; i++) {
    if (input_same_file(name, line->inputs[i]))
      return app_fail(
          error, MSK_ERROR_ARGUMENT,
          "the output %s is the input itself, expected another file: choose one with -o", name);
  }
  for (int i = 0; i < line->row_count; i++) {
    const cli_row *row = &line->rows[i];
    const char *other = text_of(line, row);
    if (other == NULL || strcmp(row->option->name, option) == 0) continue;
    if (row->option->type == CLI_INPUT && input_same_file(name, other))
      return app_fail(
          error, MSK_ERROR_ARGUMENT,
          "the output %s is also read by this command, expected another file: choose one with -o",
          name);
    if (row->option->type == CLI_OUTPUT && (strcmp(other, path) == 0 || strcmp(other, name) == 0))
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "two outputs have the same name %s, expected different ones", name);
  }
  return MSK_OK;
}

msk_status cli_output_check(const cli_line *line, const char *option, const char *path, int count,
                            msk_error *error) {
  char name[MAX_PATH_BYTES];
  struct stat info;
  msk_status status = MSK_OK;
  if (path != NULL && output_is_stdout(path) && count > 1)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "%d results do not fit into standard output, expected a name for --%s", count,
                    option);
  for (int i = 0; path != NULL && i < count && status == MSK_OK; i++) {
    status = output_numbered(name, path, i, count, error);
    if (status == MSK_OK) status = check_others(line, option, path, name, error);
    if (status == MSK_OK) status = output_check(name, error);
    if (status != MSK_OK || output_is_stdout(name) || cli_given(line, "force")) continue;
    if (stat(name, &info) == 0 && S_ISREG(info.st_mode))
      status = app_fail(error, MSK_ERROR_ARGUMENT,
                        "the output %s is there already, expected a new name: choose one with -o, "
                        "or replace it with --force",
                        name);
  }
  return status;
}

msk_status cli_parse_list(const char *text, const char *what, int minimum, int maximum,
                          int *numbers, int limit, int *count, msk_error *error) {
  int found = 0;
  for (const char *p = text;; p++) {
    char *end = NULL;
    errno = 0;
    long value = is_digit(*p) ? strtol(p, &end, 10) : 0;
    if (end == NULL || errno != 0 || value < minimum || value > maximum || found == limit ||
        (*end != ',' && *end != 0)) {
      return app_fail(error, MSK_ERROR_ARGUMENT,
                      "%s was given %s, expected at most %d whole numbers from %d to %d with "
                      "commas between them",
                      what, text, limit, minimum, maximum);
    }
    numbers[found++] = (int)value;
    if (*end == 0) break;
    p = end;
  }
  *count = found;
  return MSK_OK;
}
