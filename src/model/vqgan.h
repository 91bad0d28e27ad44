/* SPDX-License-Identifier: Apache-2.0
 *
 * vqgan.h - the tokenizer: VQGAN encoder, quantiser, decoder (reference: MaskGIT's
 * vqgan_tokenizer; section 1 of docs/model.md). Every size is read from the tensors; odd shapes
 * are refused by name. Immutable after loading. */
#ifndef MSK_MODEL_VQGAN_H
#define MSK_MODEL_VQGAN_H

#include "compute/backend.h"
#include "model/weights.h"

enum { MSK_VQGAN_MAX_LEVELS = 8, MSK_VQGAN_MAX_BLOCKS = 8 };

typedef struct msk_vqgan_config {
  /* pixel-shuffle factor: 1 none; encoder.Conv_0 has 3*stem*stem inputs */
  size_t stem;
  size_t filters;                        /* channels at multiplier 1: encoder.Conv_0's outputs */
  size_t levels;                         /* 1 + number of down-samplings */
  size_t channels[MSK_VQGAN_MAX_LEVELS]; /* per level, full resolution first */
  /* residual blocks a level, of either half: as many in the authors' networks */
  size_t blocks, decoder_blocks;
  size_t groups;     /* GroupNorm groups */
  size_t codes, dim; /* codebook */
  /* the authors' conv_downsample: 4x4 convolution, stride 2, instead of pooling */
  bool strided;
  size_t patch; /* pixels a token side: stem * 2^(levels-1) */
} msk_vqgan_config;

typedef struct msk_vqgan msk_vqgan;

/* Tensors are found under `prefix` ("tokenizer." in a run-time file, "" in a checkpoint) by the
 * authors' names. groups 0: 32. On a device that measures, a network without arrays, to be
 * destroyed: its tally says what one would take. */
msk_status msk_vqgan_load(msk_vqgan **vqgan, const msk_device *device, const msk_weight_file *file,
                          const char *prefix, size_t groups, msk_precision decoding, msk_pool *pool,
                          msk_error *error);
/* The configuration alone, with every tensor's type and shape checked; nothing is packed. */
msk_status msk_vqgan_read_config(msk_vqgan_config *config, const msk_weight_file *file,
                                 const char *prefix, size_t groups, msk_error *error);
/* Lists the tensors of a tokenizer of this configuration (weights.h). */
msk_status msk_vqgan_each_tensor(const msk_vqgan_config *config, msk_weight_visit *visit,
                                 void *user);
/* The decoder's: int8 if some of its convolutions are. Where 8 bits would be slower than float32
 * (msk_conv_int8_pays), none is, whatever was asked for. */
msk_precision msk_vqgan_decode_precision(const msk_vqgan *vqgan);
void msk_vqgan_destroy(msk_vqgan *vqgan);
const msk_vqgan_config *msk_vqgan_get_config(const msk_vqgan *vqgan);

/* Called with each stage's output (tests, traces): the authors' module name ("encoder/Conv_0",
 * "decoder/ResBlock_3"), height x width x channels. */
typedef struct msk_observer {
  void *user;
  void (*observe)(void *user, const char *name, const float *data, size_t rows, size_t columns,
                  size_t channels);
} msk_observer;

/* pixels [batch, height, width, 3] in [0,1] -> latents [batch, h, w, dim]. Temporaries come from
 * the arena and go back. Any size (with a stem: a multiple of it). observer may be NULL. */
void msk_vqgan_encode(const msk_vqgan *vqgan, msk_stream *stream, msk_arena *arena,
                      const float *pixels, size_t batch, size_t height, size_t width,
                      float *latents, const msk_observer *observer);
void msk_vqgan_latent_size(const msk_vqgan *vqgan, size_t height, size_t width, size_t *rows,
                           size_t *columns);
/* latents rows x dim -> codes */
void msk_vqgan_quantise(const msk_vqgan *vqgan, msk_stream *stream, const float *latents,
                        size_t rows, int32_t *codes);
/* codes [batch, h, w] (0 .. codes-1, checked by the caller) -> pixels [batch, h*patch, w*patch,
 * 3] unclamped. */
void msk_vqgan_decode(const msk_vqgan *vqgan, msk_stream *stream, msk_arena *arena,
                      const int32_t *codes, size_t batch, size_t rows, size_t columns,
                      float *pixels, const msk_observer *observer);
#endif
