/* SPDX-License-Identifier: Apache-2.0
 *
 * cli_run.h - running the built program from outside: arguments in; exit code, standard output
 * and error out. The program's path comes from the environment variable MASKSKETCH_PROGRAM. Test
 * code only. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <sys/types.h>

#include "support.h"

/* What the next run finds around it; zero means the ordinary. */
typedef struct run_setting {
  const char *folder; /* working directory */
  const char *input;  /* file for standard input */
  const char *output; /* file for standard output, instead of result.out */
  long file_limit;    /* RLIMIT_FSIZE in bytes */
  int as_nobody;      /* as a user without rights, where we are root */
  int closed_output;  /* standard output is closed */
  int without_force;  /* --force is not added to commands that write files */
  int columns;        /* of the terminal; 0: 80 */
} run_setting;
extern run_setting run_with;

typedef struct run_result {
  int code;        /* exit code, or -signal */
  char *out, *err; /* what it wrote, terminated */
  size_t out_bytes;
} run_result;

enum { MAX_ARGUMENTS = 96 };

/* Runs the program; the arguments end with NULL. Free the result with run_free(). */
run_result run_program(const char *const *arguments);
#define RUN(...) run_program((const char *const[]){__VA_ARGS__, NULL})
void run_free(run_result *result);
/* Starts it and does not wait: for signals. Output goes nowhere. */
pid_t run_start(const char *const *arguments);
#define START(...) run_start((const char *const[]){__VA_ARGS__, NULL})
/* Runs it on a terminal of 24 rows (TERM as given), and returns what the terminal was sent. */
char *run_on_terminal(const char *term, int *code, const char *const *arguments);

/* Runs it, wants the exit code, and drops the output. */
#define EXPECT(code, ...) \
  run_expect(__FILE__, __LINE__, (code), (const char *const[]){__VA_ARGS__, NULL})
void run_expect(const char *file, int line, int code, const char *const *arguments);

int exists(const char *path);
int same_bytes(const char *a, const char *b);
/* Whether OpenCL finds a device here. */
int has_gpu(void);
/* How many names of the folder contain `part` ("" counts all). */
int count_files(const char *folder, const char *part);

/* A group's fixture: set_up_folder(), and models of the golden networks in it; MASKSKETCH_MODEL
 * names the tiny one. */
int set_up_models(void **state);
const char *model_of(const char *network); /* "tiny" or "odd" */
/* Makes NAME.safetensors in the folder: the tiny model with such defaults (JSON). The path holds
 * for two calls. */
const char *model_with(const char *name, const char *defaults);
#endif
