/* SPDX-License-Identifier: Apache-2.0
 *
 * networks.h - what the network tests share: a device with a thread pool and memory that is
 * measured before it is placed, as a session does it. */
#ifndef MSK_TEST_NETWORKS_H
#define MSK_TEST_NETWORKS_H

#include "model/maskgit.h"
#include "model/vqgan.h"
#include "support.h"

struct rig {
  msk_device *device;
  msk_precision decoding;
  msk_pool *pool;
  msk_stream stream;
  msk_arena arena;
};

void rig_open(struct rig *rig, const char *isa, int threads);
void rig_open_in(struct rig *rig, const char *isa, int threads, msk_precision precision);
void rig_close(struct rig *rig);

msk_vqgan *vqgan_open(const struct rig *rig, const char *path, const char *prefix, size_t groups);
msk_maskgit *maskgit_open(const struct rig *rig, const char *path, const char *prefix);

/* Forward passes with their memory measured first; a pass that needs more than it measured fails
 * the test. */
void rig_encode(struct rig *rig, const msk_vqgan *vqgan, const float *pixels, size_t batch,
                size_t height, size_t width, float *latents, const msk_observer *observer);
void rig_quantise(struct rig *rig, const msk_vqgan *vqgan, const float *latents, size_t rows,
                  int32_t *codes);
void rig_decode(struct rig *rig, const msk_vqgan *vqgan, const int32_t *codes, size_t batch,
                size_t rows, size_t columns, float *pixels, const msk_observer *observer);
void rig_forward(struct rig *rig, const msk_maskgit *maskgit, const msk_maskgit_pass *pass);

/* A golden picture as float pixels; free with free(). */
float *load_pixels(const char *path, size_t *height, size_t *width);
/* Random weights for a network's tensors, written to a safetensors file under a prefix. The
 * spread keeps activations of order one. */
typedef msk_status each_tensor(const void *config, msk_weight_visit *visit, void *user);
void write_random_network(const char *path, const char *prefix, each_tensor *each,
                          const void *config, uint64_t seed);

#endif
