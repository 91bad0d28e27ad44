/* SPDX-License-Identifier: Apache-2.0
 *
 * read_out.c - what is read out of a row of attention while it lies in the cache: maps, their
 * logarithms, the structure score. Always in float32. */
#include <math.h>

#include "compute/cpu/cpu.h"

bool msk_reads_out(const msk_attention_job *attention) {
  const msk_read_out *reads = attention->reads;
  return reads->score != NULL || reads->maps != NULL || reads->log_maps != NULL;
}

void msk_read_out_row(const msk_attention_job *attention, size_t head, size_t row, const float *s,
                      const float *e, float maximum, float sum) {
  const msk_read_out *reads = attention->reads;
  size_t tokens = attention->tokens, at = head * attention->queries + row;
  /* maps need one division, their logarithms none: s - maximum is at hand, also where e has
   * underflowed */
  if (reads->maps != NULL)
    attention->kernels->scale_row(tokens, e, 1.0f / sum, reads->maps + at * tokens);
  if (reads->log_maps != NULL) {
    float log_sum = logf(sum);
    for (size_t j = 0; j < tokens; j++)
      reads->log_maps[at * tokens + j] = (s[j] - maximum) - log_sum;
  }
  if (reads->score != NULL) {
    size_t place = reads->places != NULL ? (size_t)reads->places[row] : row,
           target = (head % attention->shape->heads * tokens + place) * tokens;
    reads->score[at] =
        attention->kernels->score_row(reads->distance, tokens, s, e, maximum, sum,
                                      reads->target + target, reads->log_target + target);
  }
}
