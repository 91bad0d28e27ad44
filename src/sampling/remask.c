/* SPDX-License-Identifier: Apache-2.0
 *
 * remask.c - see remask.h. Sorting is heapsort: in place, no allocation, and the order is total,
 * so that the result is unique. */
#include "sampling/remask.h"

#include <math.h>
#include <stdbool.h>

static bool comes_before(const msk_candidate *a, const msk_candidate *b) {
  const bool a_nan = isnan(a->key), b_nan = isnan(b->key);
  if (a_nan != b_nan) return b_nan;
  if (!a_nan && a->key != b->key) return a->key < b->key;
  if (a->lot != b->lot) return a->lot < b->lot;
  return a->index < b->index;
}

static void sift_down(msk_candidate *heap, size_t root, size_t count) {
  const msk_candidate value = heap[root];
  for (size_t child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && comes_before(&heap[child], &heap[child + 1])) child++;
    if (!comes_before(&value, &heap[child])) break;
    heap[root] = heap[child];
  }
  heap[root] = value;
}

void msk_candidates_sort(msk_candidate *candidates, size_t count) {
  for (size_t root = count / 2; root-- > 0;) sift_down(candidates, root, count);
  for (size_t last = count; last-- > 1;) {
    msk_candidate largest = candidates[0];
    candidates[0] = candidates[last];
    candidates[last] = largest;
    sift_down(candidates, 0, last);
  }
}

/* NaN if there is one. */
static float largest_of(const float *logits, size_t codes) {
  float largest = logits[0];
  for (size_t j = 1; j < codes; j++)
    largest = logits[j] > largest || isnan(logits[j]) ? logits[j] : largest;
  return largest;
}

float msk_token_probability(const float *logits, size_t codes, int32_t token) {
  if (token < 0 || (size_t)token >= codes) return NAN;
  const float largest = largest_of(logits, codes);
  double sum = 0;
  for (size_t j = 0; j < codes; j++) sum += (double)expf(logits[j] - largest);
  return expf(logits[token] - largest) / (float)sum;
}

/* With d = logit - largest and Z the sum of exp(d): log Z - (sum of d exp(d)) / Z. */
float msk_token_entropy(const float *logits, size_t codes) {
  const float largest = largest_of(logits, codes);
  double sum = 0, weighted = 0;
  for (size_t j = 0; j < codes; j++) {
    const float below = logits[j] - largest;
    /* a code that is ruled out, at -infinity, adds nothing: 0 log 0 = 0 */
    if (below == -INFINITY) continue;
    const double e = (double)expf(below);
    sum += e;
    weighted += (double)below * e;
  }
  return (float)(log(sum) - weighted / sum);
}

void msk_rescale_official(float *values, size_t count) {
  float least = values[0], largest = -INFINITY;
  for (size_t i = 1; i < count; i++)
    least = values[i] < least || isnan(values[i]) ? values[i] : least;
  for (size_t i = 0; i < count; i++) {
    values[i] -= least;
    largest = values[i] > largest || isnan(values[i]) ? values[i] : largest;
  }
  for (size_t i = 0; i < count; i++) values[i] /= largest;
}

void msk_rescale(float *values, size_t count) {
  float least = INFINITY, largest = -INFINITY;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    least = fminf(least, values[i]);
    largest = fmaxf(largest, values[i]);
  }
  const float span = largest - least;
  for (size_t i = 0; i < count; i++) {
    /* no number counts as the least, an infinity as its end: neither may flatten the others */
    if (!isfinite(values[i])) {
      values[i] = isnan(values[i]) || values[i] < 0 ? 0.0f : 1.0f;
    } else {
      values[i] = span > 0 ? (values[i] - least) / span : 1.0f;
    }
  }
}

void msk_mask_below_cut(uint8_t *mask, const float *scores, const float *noise, float temperature,
                        float k, size_t count, msk_candidate *scratch) {
  for (size_t i = 0; i < count; i++) {
    float key = noise == NULL ? scores[i] : fmaf(temperature, noise[i], scores[i]);
    scratch[i] = (msk_candidate){key, 0, (int32_t)i};
  }
  msk_candidates_sort(scratch, count);
  float cut = NAN;
  if (k < (float)count) cut = scratch[k > 0 ? (size_t)k : 0].key;
  for (size_t i = 0; i < count; i++) mask[i] = scores[i] < cut;
}
