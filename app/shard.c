/* SPDX-License-Identifier: Apache-2.0
 * shard.c - see shard.h. */
#include "app/shard.h"

#include <stdlib.h>

#include "app/report.h"

/* A whole number from `least` to `most`, and nothing behind it but `end`. */
static bool take_number(const char **text, int least, int most, char end, int *number) {
  char *rest = NULL;
  if (**text < '0' || **text > '9') return false; /* strtol takes blanks and signs */
  long value = strtol(*text, &rest, 10);
  if (*rest != end || value < least || value > most) return false;
  *text = end == 0 ? rest : rest + 1;
  *number = (int)value;
  return true;
}

static msk_status parse(shard *out, const char *text, msk_error *error) {
  const char *at = text;
  shard s;
  if (!take_number(&at, 1, MAX_SHARDS, '/', &s.number) ||
      !take_number(&at, s.number, MAX_SHARDS, 0, &s.count))
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "--shard was given %.40s, expected I/N with I from 1 to N, as in 2/7, and N at "
                    "most %d",
                    text, MAX_SHARDS);
  *out = s;
  return MSK_OK;
}

/* ---- variables ---- */

/* Three of them tell a place: which one, of how many, counted from where. */
static msk_status take_variables(shard *out, const char *place, const char *count, int first,
                                 int step, msk_error *error) {
  const char *at = getenv(place), *of = getenv(count);
  int value = 0, values = 0;
  if (!take_number(&at, 0, 1 << 30, 0, &value) || !take_number(&of, 1, MAX_SHARDS, 0, &values) ||
      value < first || (value - first) % step != 0 || (value - first) / step >= values)
    return app_fail(error, MSK_ERROR_ARGUMENT,
                    "%s is %.20s and %s is %.20s, which name no share of the work: name it with "
                    "--shard I/N",
                    place, getenv(place), count, getenv(count));
  *out = (shard){(value - first) / step + 1, values};
  return MSK_OK;
}

static bool are_set(const char *a, const char *b) { return getenv(a) != NULL && getenv(b) != NULL; }

/* One of the tasks of mpirun or srun. The script of an sbatch has a rank too, but no step: it is
 * one process, whatever number of tasks the job has. */
static msk_status find_task(shard *out, const char **from, msk_error *error) {
  const bool script = getenv("SLURM_JOB_ID") != NULL && getenv("SLURM_STEP_ID") == NULL;
  if (are_set("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")) {
    *from = "OMPI_COMM_WORLD_RANK";
    return take_variables(out, *from, "OMPI_COMM_WORLD_SIZE", 0, 1, error);
  }
  if (script || !are_set("SLURM_PROCID", "SLURM_NTASKS")) return MSK_OK;
  /* of an interactive step, SLURM_NTASKS tells the whole job's */
  const char *tasks =
      getenv("SLURM_STEP_NUM_TASKS") != NULL ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
  *from = "SLURM_PROCID";
  return take_variables(out, *from, tasks, 0, 1, error);
}

static int number_of(const char *variable, int otherwise) {
  const char *text = getenv(variable);
  int number = otherwise;
  if (text != NULL) take_number(&text, otherwise, 1 << 30, 0, &number);
  return number;
}

/* One of the jobs of an array; its numbers begin where the user said, with the user's step. */
static msk_status find_job(shard *out, const char **from, msk_error *error) {
  if (!are_set("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")) return MSK_OK;
  *from = "SLURM_ARRAY_TASK_ID";
  return take_variables(out, *from, "SLURM_ARRAY_TASK_COUNT", number_of("SLURM_ARRAY_TASK_MIN", 0),
                        number_of("SLURM_ARRAY_TASK_STEP", 1), error);
}

msk_status shard_find(shard *out, const char **from, const char *given, msk_error *error) {
  shard job = {1, 1}, task = {1, 1};
  *from = "--shard";
  if (given != NULL) return parse(out, given, error);
  *from = NULL;
  msk_status status = find_job(&job, from, error);
  if (status == MSK_OK) status = find_task(&task, from, error);
  if (status != MSK_OK) return status;
  if (job.count > MAX_SHARDS / task.count)
    return app_fail(error, MSK_ERROR_ARGUMENT, "%d jobs of %d tasks are more than %d shards",
                    job.count, task.count, MAX_SHARDS);
  /* each job of an array has its share, and each of its tasks a share of that */
  *out = (shard){(job.number - 1) * task.count + task.number, job.count * task.count};
  return MSK_OK;
}
