/* SPDX-License-Identifier: Apache-2.0
 *
 * maps.cl - what is done with feature maps beside convolutions: group norm, pooling, pixels to
 * channels and back, bytes to numbers. LANES channels of a pixel are one work item's. */
#define JOINED(a, b) a##b
#define JOIN(a, b) JOINED(a, b)
typedef JOIN(float, LANES) lanes;
#define LOAD JOIN(vload, LANES)
#define STORE JOIN(vstore, LANES)

/* `count` channels; those behind them are zeros, and are not written. */
lanes load_lanes(const global float *at, uint count) {
  float room[LANES];
  if (count >= LANES) return LOAD(0, at);
  for (uint i = 0; i < LANES; i++) room[i] = i < count ? at[i] : 0.0f;
  return LOAD(0, room);
}
void store_lanes(lanes value, global float *at, uint count) {
  float room[LANES];
  if (count >= LANES) {
    STORE(value, 0, at);
    return;
  }
  STORE(value, 0, room);
  for (uint i = 0; i < count; i++) at[i] = room[i];
}

/* ---- group norm: chunks of CHUNK_PIXELS pixels, each channel's mean and squared deviation from
 * it; then a group's of all its channels and chunks (Chan, Golub and LeVeque); then applied ---- */

#define CHUNK_PIXELS 64

/* means and deviations: [batch][chunks][channels]. Global size: channels over LANES, chunks,
 * batch. */
kernel void norm_chunks(const global float *x, ulong x_at, uint pixels, uint channels,
                        global float *means, ulong means_at, global float *deviations,
                        ulong deviations_at) {
  const uint channel = get_global_id(0) * LANES, left = channels - channel,
             first = get_global_id(1) * CHUNK_PIXELS,
             count = min(pixels - first, (uint)CHUNK_PIXELS);
  const ulong to = ((ulong)get_global_id(2) * get_global_size(1) + get_global_id(1)) * channels +
                   channel;
  lanes sum = 0.0f, deviation = 0.0f;
  x += x_at + ((ulong)get_global_id(2) * pixels + first) * channels + channel;
  for (uint i = 0; i < count; i++) sum += load_lanes(x + (ulong)i * channels, left);
  const lanes mean = sum / (float)count;
  for (uint i = 0; i < count; i++) {
    const lanes difference = load_lanes(x + (ulong)i * channels, left) - mean;
    deviation += difference * difference;
  }
  store_lanes(mean, means + means_at + to, left);
  store_lanes(deviation, deviations + deviations_at + to, left);
}

/* mean and scale: [batch][channels]. A group of GROUP items each. Global size: GROUP x groups,
 * batch. */
kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void norm_groups(
    const global float *means, ulong means_at, const global float *deviations, ulong deviations_at,
    uint pixels, uint channels, uint groups, const global float *gamma, ulong gamma_at,
    float epsilon, global float *mean, ulong mean_at, global float *scale, ulong scale_at) {
  local float room[GROUP];
  const uint item = get_local_id(0), own = channels / groups, first = get_group_id(0) * own,
             chunks = (pixels + CHUNK_PIXELS - 1) / CHUNK_PIXELS, picture = get_global_id(1);
  const float total = (float)pixels * own;
  means += means_at + (ulong)picture * chunks * channels + first;
  deviations += deviations_at + (ulong)picture * chunks * channels + first;
  /* of what differs from any one of them: a sum of large numbers loses its last digits */
  const float rough = means[0];
  float sum = 0.0f, deviation = 0.0f;
  for (uint i = item; i < chunks * own; i += GROUP) {
    const uint chunk = i / own, count = min(pixels - chunk * CHUNK_PIXELS, (uint)CHUNK_PIXELS);
    sum += (means[(ulong)chunk * channels + i - chunk * own] - rough) * count;
  }
  const float rest = group_sum(room, sum) / total;
  for (uint i = item; i < chunks * own; i += GROUP) {
    const uint chunk = i / own, count = min(pixels - chunk * CHUNK_PIXELS, (uint)CHUNK_PIXELS);
    const ulong at = (ulong)chunk * channels + i - chunk * own;
    const float shift = (means[at] - rough) - rest;
    deviation += deviations[at] + shift * shift * count;
  }
  const float inverse = 1.0f / sqrt(group_sum(room, deviation) / total + epsilon);
  for (uint c = item; c < own; c += GROUP) {
    mean[mean_at + (ulong)picture * channels + first + c] = rough + rest;
    scale[scale_at + (ulong)picture * channels + first + c] = inverse * gamma[gamma_at + first + c];
  }
}

/* y may be x. Global size: channels over LANES, pixels, batch. */
kernel void norm_apply(const global float *x, ulong x_at, const global float *mean, ulong mean_at,
                       const global float *scale, ulong scale_at, const global float *beta,
                       ulong beta_at, uint channels, int swish, global float *y, ulong y_at) {
  const uint channel = get_global_id(0) * LANES, left = channels - channel;
  const ulong at = ((ulong)get_global_id(2) * get_global_size(1) + get_global_id(1)) * channels +
                   channel,
              of = (ulong)get_global_id(2) * channels + channel;
  const lanes value =
      (load_lanes(x + x_at + at, left) - load_lanes(mean + mean_at + of, left)) *
          load_lanes(scale + scale_at + of, left) +
      load_lanes(beta + beta_at + channel, left);
  store_lanes(swish ? value / (1.0f + exp(-value)) : value, y + y_at + at, left);
}

/* ---- the rest ---- */

/* Means of 2 x 2 pixels, at an odd border of those that exist. Global size: channels, and y's
 * width, lines. */
kernel void average_pool(const global float *x, ulong x_at, uint height, uint width,
                         global float *y, ulong y_at) {
  const uint channels = get_global_size(0), c = get_global_id(0), ox = get_global_id(1),
             lines = (height + 1) / 2, picture = get_global_id(2) / lines,
             oy = get_global_id(2) - picture * lines;
  const bool wide = 2 * ox + 1 < width, high = 2 * oy + 1 < height;
  x += x_at + (((ulong)picture * height + 2 * oy) * width + 2 * ox) * channels + c;
  float sum = x[0];
  if (wide) sum += x[channels];
  if (high) sum += x[(ulong)width * channels];
  if (high && wide) sum += x[(ulong)(width + 1) * channels];
  y[y_at + ((ulong)get_global_id(2) * get_global_size(1) + ox) * channels + c] =
      sum * (1.0f / ((wide ? 2 : 1) * (high ? 2 : 1)));
}

/* r x r pixels to channels, or (back) the other way round. Global size: channels of the pixels,
 * their width, lines. */
kernel void fold_pixels(const global float *x, ulong x_at, uint r, int back, global float *y,
                        ulong y_at) {
  const uint channels = get_global_size(0), width = get_global_size(1), c = get_global_id(0),
             px = get_global_id(1), line = get_global_id(2);
  const ulong pixel = ((ulong)line * width + px) * channels + c,
              cell = ((((ulong)(line / r) * (width / r) + px / r) * r + line % r) * r + px % r) *
                         channels + c;
  y[y_at + (back ? pixel : cell)] = x[x_at + (back ? cell : pixel)];
}

/* y = bytes / 255; they lie in a buffer of floats. Global size: numbers. */
kernel void bytes_to_numbers(const global float *bytes, ulong bytes_at, global float *y,
                             ulong y_at) {
  const uint i = get_global_id(0);
  y[y_at + i] = ((const global uchar *)(bytes + bytes_at))[i] / 255.0f;
}

enum { RELU, COPY, ADD };

/* y = x without what is below zero (NaN stays), y = x, or y += x. Global size: numbers. */
kernel void elementwise(const global float *x, ulong x_at, int what, global float *y, ulong y_at) {
  const uint i = get_global_id(0);
  const float value = x[x_at + i];
  if (what == RELU) y[y_at + i] = value < 0.0f ? 0.0f : value;
  if (what == COPY) y[y_at + i] = value;
  if (what == ADD) y[y_at + i] += value;
}
