// SPDX-License-Identifier: Apache-2.0
// test_cxx.cc - a C++ program includes the public headers and uses the library; the header's version
// is the build's.
#include <masksketch.h>
#include <masksketch_tools.h>

#include <cstdio>
#include <cstring>

int main() {
  msk_error error;
  msk_recipe recipe;
  if (std::strcmp(msk_version(), MSK_VERSION) != 0) return 1;
  if (std::strcmp(msk_version(), PROJECT_VERSION) != 0) return 1;
  if (msk_clip_cosine(nullptr, nullptr, 0) != 0) return 1;
  if (msk_recipe_find(&recipe, nullptr, MSK_JOB_DRAW, "balanced", &error) != MSK_OK) return std::puts(error.message), 1;
  return recipe.steps > 0 && msk_isa_name(0) != nullptr ? 0 : 1;
}
