/* SPDX-License-Identifier: Apache-2.0
 * cli_run.c - see cli_run.h. */
#include "cli_run.h"

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "masksketch_tools.h"

run_setting run_with;

/* Tests write to one name again and again, and say so. */
static bool wants_force(const char *command) {
  static const char *const writers[] = {"draw",     "generate",   "edit",      "replay", "convert",
                                        "tokenize", "detokenize", "attention", "sheet"};
  for (size_t i = 0; command != NULL && i < sizeof writers / sizeof writers[0]; i++) {
    if (strcmp(command, writers[i]) == 0) return !run_with.without_force;
  }
  return false;
}

/* In the child: files in place of the standard streams, limits, the program. Never returns. */
static void become_program(const char *const *arguments, const char *out, const char *err) {
  const char *program = getenv("MASKSKETCH_PROGRAM");
  const char *vector[MAX_ARGUMENTS + 2] = {program};
  int count = 1;
  for (; arguments[count - 1] != NULL && count <= MAX_ARGUMENTS; count++)
    vector[count] = arguments[count - 1];
  if (wants_force(arguments[0]) && count <= MAX_ARGUMENTS) vector[count++] = "--force";
  if (out != NULL) {
    int files[3] = {open(run_with.input != NULL ? run_with.input : "/dev/null", O_RDONLY),
                    open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644),
                    open(err, O_WRONLY | O_CREAT | O_TRUNC, 0644)};
    for (int i = 0; i < 3; i++) {
      if (files[i] < 0 || dup2(files[i], i) < 0) _exit(126);
    }
    for (int i = 3; i < 64; i++) close(i);
  }
  if (run_with.closed_output) close(STDOUT_FILENO);
  if (run_with.folder != NULL && chdir(run_with.folder) != 0) _exit(126);
  if (run_with.file_limit > 0)
    setrlimit(RLIMIT_FSIZE,
              &(struct rlimit){(rlim_t)run_with.file_limit, (rlim_t)run_with.file_limit});
  if (run_with.as_nobody && geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
    _exit(126);
  if (program != NULL) execv(program, (char *const *)(uintptr_t)vector);
  _exit(127);
}

static int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static char *read_text(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  char *text = NULL;
  size_t used = 0, got = 0;
  do {
    text = realloc(text, used + 65537);
    assert_non_null(text);
    got = fread(text + used, 1, 65536, file);
    used += got;
  } while (got > 0);
  fclose(file);
  text[used] = 0;
  *bytes = used;
  return text;
}

run_result run_program(const char *const *arguments) {
  char out[4200], err[4200];
  snprintf(out, sizeof out, "%s", in_folder(".out-%d", (int)getpid()));
  snprintf(err, sizeof err, "%s", in_folder(".err-%d", (int)getpid()));
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) become_program(arguments, run_with.output != NULL ? run_with.output : out, err);
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  run_result result = {.code = exit_code(status)};
  size_t ignored = 0;
  result.out = run_with.output != NULL ? calloc(1, 1) : read_text(out, &result.out_bytes);
  result.err = read_text(err, &ignored);
  unlink(out);
  unlink(err);
  run_with = (run_setting){0};
  return result;
}

void run_free(run_result *result) {
  free(result->out);
  free(result->err);
}

void run_expect(const char *file, int line, int code, const char *const *arguments) {
  run_result result = run_program(arguments);
  if (result.code != code) {
    print_error("exit code %d, expected %d: %s", result.code, code, result.err);
    _fail(file, line);
  }
  run_free(&result);
}

pid_t run_start(const char *const *arguments) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) become_program(arguments, "/dev/null", "/dev/null");
  run_with = (run_setting){0};
  return child;
}

char *run_on_terminal(const char *term, int *code, const char *const *arguments) {
  int terminal = -1;
  struct winsize size = {.ws_row = 24, .ws_col = 80};
  if (run_with.columns > 0) size.ws_col = (unsigned short)run_with.columns;
  pid_t child = forkpty(&terminal, NULL, NULL, &size);
  if (child < 0) { /* a bare chroot has no /dev/pts */
    print_message("no pseudo-terminal can be had here: skipped\n");
    skip();
  }
  if (child == 0) {
    static const char *const others[] = {"KITTY_WINDOW_ID", "TERM_PROGRAM", "TMUX", "STY"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) unsetenv(others[i]);
    setenv("TERM", term, 1);
    become_program(arguments, NULL, NULL);
  }
  char *text = calloc(1, 1);
  size_t used = 0;
  for (;;) {
    char piece[4096];
    ssize_t got = read(terminal, piece, sizeof piece);
    if (got <= 0) break;
    text = realloc(text, used + (size_t)got + 1);
    assert_non_null(text);
    memcpy(text + used, piece, (size_t)got);
    used += (size_t)got;
    text[used] = 0;
  }
  int status = 0;
  waitpid(child, &status, 0);
  close(terminal);
  *code = exit_code(status);
  run_with = (run_setting){0};
  return text;
}

/* ---- Files ---- */

int exists(const char *path) {
  struct stat info;
  return stat(path, &info) == 0;
}

int same_bytes(const char *a, const char *b) {
  size_t a_bytes = 0, b_bytes = 0;
  uint8_t *first = test_read_file(a, &a_bytes), *second = test_read_file(b, &b_bytes);
  int same = a_bytes == b_bytes && memcmp(first, second, a_bytes) == 0;
  free(first);
  free(second);
  return same;
}

int has_gpu(void) {
  msk_device_info *devices = NULL;
  msk_error error;
  int count = 0;
  const bool has = msk_device_list(&devices, &count, NULL, &error) == MSK_OK && count > 0;
  msk_free(NULL, devices);
  return has;
}

int count_files(const char *folder, const char *part) {
  DIR *directory = opendir(folder);
  assert_non_null(directory);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      count += strstr(entry->d_name, part) != NULL;
  }
  closedir(directory);
  return count;
}

/* ---- Models ---- */

const char *model_of(const char *network) { return in_folder("%s.safetensors", network); }

static void convert(const char *network, int pixels) {
  char tokenizer[256], transformer[256];
  snprintf(tokenizer, sizeof tokenizer, "%s",
           golden_path("%s/tokenizer_imagenet%d_checkpoint", network, pixels));
  snprintf(transformer, sizeof transformer, "%s",
           golden_path("%s/maskgit_imagenet%d_checkpoint", network, pixels));
  EXPECT(0, "convert", "--tokenizer", tokenizer, "--transformer", transformer, "-o",
         model_of(network), "--quiet");
}

int set_up_models(void **state) {
  if (set_up_folder(state) != 0 || getenv("MASKSKETCH_PROGRAM") == NULL) return -1;
  chmod(test_folder, 0755); /* for runs as nobody */
  convert("tiny", 128);
  convert("odd", 80);
  return setenv("MASKSKETCH_MODEL", model_of("tiny"), 1);
}

const char *model_with(const char *name, const char *defaults) {
  static char paths[2][256];
  static int next;
  char *path = paths[next++ % 2];
  msk_error error;
  snprintf(path, sizeof paths[0], "%s", in_folder("%s.safetensors", name));
  assert_int_equal(msk_file_write(in_folder("own.json"), defaults, strlen(defaults), &error),
                   MSK_OK);
  EXPECT(0, "convert", "--tokenizer", model_of("tiny"), "--transformer", model_of("tiny"), "--name",
         "tiny", "--defaults", in_folder("own.json"), "-o", path, "--quiet");
  return path;
}
