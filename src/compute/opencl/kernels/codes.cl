/* SPDX-License-Identifier: Apache-2.0
 *
 * codes.cl - the codebook. A code's likeness x . c - |c|^2 / 2, of a product, finds the candidates;
 * their distances, in numbers of two floats, decide, the first of equals: as float64 does on a
 * CPU, which not every device has. */

/* high + low, exactly a + b, a * b. Nothing here can be contracted. */
float2 two_sum(float a, float b) {
  const float high = a + b, other = high - a;
  return (float2)(high, (a - (high - other)) + (b - other));
}
float2 two_product(float a, float b) {
  const float high = a * b;
  return (float2)(high, fma(a, b, -high));
}

/* The squared distance, to 2^-44 of it. */
float2 find_distance(const global float *x, const global float *code, uint dim) {
  float2 sum = 0.0f;
  for (uint i = 0; i < dim; i++) {
    const float2 d = two_sum(x[i], -code[i]), square = two_product(d.x, d.x),
                 next = two_sum(sum.x, square.x);
    const float low = next.y + (sum.y + fma(2.0f * d.x, d.y, square.y));
    sum = two_sum(next.x, low);
  }
  return sum;
}

bool is_nearer(float2 a, int a_code, float2 b, int b_code) {
  if (a.x != b.x) return a.x < b.x;
  return a.y != b.y ? a.y < b.y : a_code < b_code;
}

/* One row a group of GROUP items; a row with NaN in it gets the first code. roundings: of a
 * likeness, in units of the largest code's norm times the row's and that. Global size: GROUP x
 * rows. codes are written to a buffer of floats. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void nearest_code(
    const global float *x, ulong x_at, const global float *likeness, ulong likeness_at,
    const global float *vectors, uint dim, uint count, float largest, float roundings,
    global float *codes, ulong codes_at) {
  local float room[GROUP], lows[GROUP];
  local int found[GROUP];
  const uint row = get_group_id(0), item = get_local_id(0);
  x += x_at + (ulong)row * dim;
  likeness += likeness_at + (ulong)row * count;
  float best = -INFINITY, norm = 0.0f;
  for (uint i = item; i < dim; i += GROUP) norm += x[i] * x[i];
  const float size = sqrt(group_sum(room, norm)) + largest;
  for (uint c = item; c < count; c += GROUP) best = likeness[c] > best ? likeness[c] : best;
  best = group_largest(room, best);
  float2 nearest = INFINITY;
  int code = 0;
  for (uint c = item; c < count; c += GROUP) {
    /* written so that NaN, which compares with nothing, finds no candidate */
    if (!(likeness[c] >= best - roundings * largest * size)) continue;
    const float2 distance = find_distance(x, vectors + (ulong)c * dim, dim);
    if (is_nearer(distance, c, nearest, code)) {
      nearest = distance;
      code = c;
    }
  }
  room[item] = nearest.x;
  lows[item] = nearest.y;
  found[item] = code;
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint half_way = GROUP / 2; half_way > 0; half_way /= 2) {
    const uint other = item + half_way;
    if (item < half_way &&
        is_nearer((float2)(room[other], lows[other]), found[other],
                  (float2)(room[item], lows[item]), found[item])) {
      room[item] = room[other];
      lows[item] = lows[other];
      found[item] = found[other];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  if (item == 0) codes[codes_at + row] = as_float(found[0]);
}

/* y[i] = vectors[codes[i]]. Global size: dim, rows. */
kernel void lookup_code(const global float *codes, ulong codes_at, const global float *vectors,
                        global float *y, ulong y_at, uint y_stride) {
  const uint d = get_global_id(0), i = get_global_id(1);
  y[y_at + (ulong)i * y_stride + d] =
      vectors[(ulong)as_int(codes[codes_at + i]) * get_global_size(0) + d];
}
