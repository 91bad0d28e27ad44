/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.cl - what is done row by row: embedding, layer norm, softmax with its read-outs, and the
 * packing of keys and values into the panels of product.cl. A row is one work group of GROUP
 * items; item i sums every GROUP-th element from i on, and a tree of fixed shape sums the items:
 * so a row gives the same bytes wherever and beside whatever it runs. */
float group_sum(local float *room, float value) {
  const uint item = get_local_id(0);
  room[item] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint half_way = GROUP / 2; half_way > 0; half_way /= 2) {
    if (item < half_way) room[item] += room[item + half_way];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const float sum = room[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return sum;
}

/* NaN, if one of the two is. */
float larger(float a, float b) { return b > a || isnan(b) ? b : a; }

float group_largest(local float *room, float value) {
  const uint item = get_local_id(0);
  room[item] = value;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint half_way = GROUP / 2; half_way > 0; half_way /= 2) {
    if (item < half_way) room[item] = larger(room[item], room[item + half_way]);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const float largest = room[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return largest;
}

/* y[i] = words[ids[i]] + positions[places[i]]; id -1 is the last word. Global size: columns, rows.
 * ids lie in a buffer of floats' size, and the places behind them if `placed`: else i %
 * position_count. */
kernel void embed(const global float *ids, ulong ids_at, int placed, const global float *words,
                  ulong words_at, uint words_stride, uint word_count,
                  const global float *positions, ulong positions_at, uint positions_stride,
                  uint position_count, global float *y, ulong y_at, uint y_stride) {
  const uint d = get_global_id(0), i = get_global_id(1), rows = get_global_size(1);
  const int id = as_int(ids[ids_at + i]);
  const uint place = placed ? as_uint(ids[ids_at + rows + i]) : i % position_count;
  const uint word = id < 0 ? word_count - 1 : (uint)id;
  y[y_at + (ulong)i * y_stride + d] =
      words[words_at + (ulong)word * words_stride + d] +
      positions[positions_at + (ulong)place * positions_stride + d];
}

/* y[places[i]] = x[i]. Global size: columns, rows. */
kernel void scatter(const global float *places, ulong places_at, const global float *x, ulong x_at,
                    uint x_stride, global float *y, ulong y_at, uint y_stride) {
  const uint d = get_global_id(0), i = get_global_id(1);
  y[y_at + (ulong)as_uint(places[places_at + i]) * y_stride + d] =
      x[x_at + (ulong)i * x_stride + d];
}

/* Numbers 4 k to 4 k + 3 of a row; zeros behind its last. */
float4 load_four(const global float *x, uint k, uint columns) {
  if (4 * k + 3 < columns) return vload4(k, x);
  return (float4)(x[4 * k], 4 * k + 1 < columns ? x[4 * k + 1] : 0.0f,
                  4 * k + 2 < columns ? x[4 * k + 2] : 0.0f, 0.0f);
}

/* Rows as 8-bit numbers, as the CPU quantises them (docs/precision.md), for the products of
 * int8.cl: four contracted ones side by side, each a byte, or a float if `wide`; in marks a row's
 * scale, in a float's bits, and its zero point. What lies behind a row's last number is multiplied
 * by zeros. Global size: GROUP x rows. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void quantise(
    const global float *x, ulong x_at, uint x_stride, uint columns, global uint *y, ulong y_at,
    global int *marks, ulong marks_at, int wide) {
  local float room[GROUP];
  const uint row = get_group_id(0), item = get_local_id(0), fours = (columns + 3) / 4;
  x += x_at + (ulong)row * x_stride;
  float4 low = 0.0f, high = 0.0f, nothing = 0.0f;
  for (uint k = item; k < fours; k += GROUP) {
    const float4 four = load_four(x, k, columns);
    low = four < low ? four : low;
    high = four > high ? four : high;
    nothing += four * 0.0f; /* but of what is not finite */
  }
  nothing.xy += nothing.zw;
  low = -low;
  low.xy = low.xy > low.zw ? low.xy : low.zw;
  high.xy = high.xy > high.zw ? high.xy : high.zw;
  const float lowest = -group_largest(room, larger(low.x, low.y)),
              highest = group_largest(room, larger(high.x, high.y)), range = highest - lowest;
  float inverse = 0.0f, scale = 0.0f;
  int zero = 0;
  if (!(group_sum(room, nothing.x + nothing.y) == 0.0f) || isinf(range)) {
    scale = NAN;
  } else if (range >= 1e-30f) {
    inverse = 255.0f / range;
    scale = range / 255.0f;
    zero = convert_int(rint(-lowest * inverse));
  }
  for (uint k = item; k < fours; k += GROUP) {
    int4 codes = 0;
    if (inverse > 0.0f)
      codes = clamp(convert_int4(rint(load_four(x, k, columns) * inverse)) + zero, 0, 255);
    if (wide) {
      vstore4(convert_float4(codes), (ulong)row * fours + k, (global float *)(y + y_at));
    } else {
      y[y_at + (ulong)row * fours + k] =
          (uint)(codes.x | codes.y << 8 | codes.z << 16 | codes.w << 24);
    }
  }
  if (item == 0) {
    marks[marks_at + 2 * row] = as_int(scale);
    marks[marks_at + 2 * row + 1] = zero;
  }
}

/* y may be x. Global size: GROUP x rows. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void layer_norm(
    const global float *x, ulong x_at, uint x_stride, const global float *gamma, ulong gamma_at,
    const global float *beta, ulong beta_at, float epsilon, global float *y, ulong y_at,
    uint y_stride, uint columns) {
  local float room[GROUP];
  const uint row = get_group_id(0), item = get_local_id(0);
  x += x_at + (ulong)row * x_stride;
  y += y_at + (ulong)row * y_stride;
  float sum = 0.0f, deviation = 0.0f;
  for (uint j = item; j < columns; j += GROUP) sum += x[j];
  const float rough = group_sum(room, sum) / columns;
  /* the mean once more, of what is left: a sum of large numbers has lost their last digits */
  sum = 0.0f;
  for (uint j = item; j < columns; j += GROUP) sum += x[j] - rough;
  const float rest = group_sum(room, sum) / columns;
  for (uint j = item; j < columns; j += GROUP) {
    const float difference = (x[j] - rough) - rest;
    deviation += difference * difference;
  }
  const float scale = 1.0f / sqrt(group_sum(room, deviation) / columns + epsilon);
  for (uint j = item; j < columns; j += GROUP)
    y[j] = (((x[j] - rough) - rest) * scale) * gamma[gamma_at + j] + beta[beta_at + j];
}

/* Head z's rows as a matrix in panels: panels of `columns` columns, PANEL wide, whose element
 * [k][j] is x[j][k] * factor (keys: transposed) or x[k][j] * factor. Global size: depth, panels,
 * heads. x and y lie in one buffer or in two. */
kernel void pack_panels(const global float *x, ulong x_at, uint x_stride, ulong x_outer,
                        ulong x_inner, uint inner, uint depth, uint columns, int transposed,
                        float factor, global float *y, ulong y_at, ulong y_each) {
  const uint k = get_global_id(0), column = get_global_id(1) * PANEL, z = get_global_id(2);
  x += x_at + z / inner * x_outer + z % inner * x_inner;
  y += y_at + z * y_each + (ulong)column * depth + (ulong)k * PANEL;
  for (uint j = 0; j < PANEL; j++) {
    const uint other = column + j;
    const ulong at = transposed ? (ulong)other * x_stride + k : (ulong)k * x_stride + other;
    y[j] = other < columns ? x[at] * factor : 0.0f;
  }
}

enum { CROSS_ENTROPY, SYMMETRIC_KL, JENSEN_SHANNON };

/* One summand of the likeness: t, p probabilities, lt, lp their logarithms. */
float likeness(int distance, float t, float p, float lt, float lp) {
  if (distance == CROSS_ENTROPY) return t * lp + p * lt;
  if (distance == SYMMETRIC_KL) return -(t - p) * (lt - lp);
  const float middle = fmax(lt, lp) + log1p(exp(-fabs(lt - lp))) - 0.6931471806f;
  return -0.5f * (t * (lt - middle) + p * (lp - middle));
}

enum { CAUSAL = 1, MAPS = 2, LOG_MAPS = 4, SCORE = 8, PLACED = 16 };

/* Rows of logits become their softmax; what is asked for is read out of them. Row i of matrix z, of
 * `tokens` columns each; z0: the number of the first matrix of this call; the target's row is
 * places[i] if `wanted` says so. Global size: GROUP x rows, matrices. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void softmax_rows(
    global float *s, ulong s_at, uint s_stride, uint tokens, uint heads, uint z0, int wanted,
    int distance, global float *maps, ulong maps_at, global float *log_maps, ulong log_maps_at,
    const global float *target, ulong target_at, const global float *log_target,
    ulong log_target_at, global float *score, ulong score_at, const global float *places,
    ulong places_at) {
  local float room[GROUP];
  const uint i = get_group_id(0), item = get_local_id(0), z = z0 + get_global_id(1);
  const uint seen = wanted & CAUSAL ? i + 1 : tokens;
  const uint rows = get_num_groups(0),
             place = wanted & PLACED ? as_uint(places[places_at + i]) : i;
  const ulong row = (ulong)z * rows + i, target_row = (ulong)(z % heads) * tokens + place;
  s += s_at + ((ulong)get_global_id(1) * rows + i) * s_stride;
  float largest = -INFINITY, sum = 0.0f, total = 0.0f;
  for (uint j = item; j < seen; j += GROUP) largest = larger(largest, s[j]);
  largest = group_largest(room, largest);
  if (!(wanted & (LOG_MAPS | SCORE))) { /* nobody wants the logits any more */
    for (uint j = item; j < seen; j += GROUP) sum += s[j] = exp(s[j] - largest);
    sum = group_sum(room, sum);
    for (uint j = item; j < tokens; j += GROUP) {
      const float p = j < seen ? s[j] / sum : 0.0f;
      if (wanted & MAPS) maps[maps_at + row * tokens + j] = p;
      s[j] = p;
    }
    return;
  }
  for (uint j = item; j < seen; j += GROUP) sum += exp(s[j] - largest);
  sum = group_sum(room, sum);
  const float log_sum = log(sum);
  for (uint j = item; j < tokens; j += GROUP) {
    const float log_p = j < seen ? (s[j] - largest) - log_sum : -INFINITY,
                p = j < seen ? exp(s[j] - largest) / sum : 0.0f;
    if (wanted & MAPS) maps[maps_at + row * tokens + j] = p;
    if (wanted & LOG_MAPS) log_maps[log_maps_at + row * tokens + j] = log_p;
    if (wanted & SCORE)
      total += likeness(distance, target[target_at + target_row * tokens + j], p,
                        log_target[log_target_at + target_row * tokens + j], log_p);
    s[j] = p;
  }
  if (!(wanted & SCORE)) return; /* of all items of the group alike */
  total = group_sum(room, total);
  if (item == 0) score[score_at + row] = total;
}

/* y[b][n] (+)= weight * sum over heads of score[b][h][n]. Global size: columns, rows. */
kernel void head_sum(const global float *score, ulong score_at, uint heads, float weight,
                     int accumulate, global float *y, ulong y_at, uint y_stride) {
  const uint n = get_global_id(0), columns = get_global_size(0), b = get_global_id(1);
  float sum = 0.0f;
  for (uint h = 0; h < heads; h++) sum += score[score_at + ((ulong)b * heads + h) * columns + n];
  y += y_at + (ulong)b * y_stride + n;
  *y = (accumulate ? *y : 0.0f) + weight * sum;
}
