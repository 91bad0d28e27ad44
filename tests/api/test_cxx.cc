// SPDX-License-Identifier: Apache-2.0
// test_cxx.cc - a C++ program includes the public header and uses the library.
#include <masksketch.h>

#include <cstdio>
#include <cstring>

int main() {
  msk_error error;
  msk_recipe recipe;
  if (std::strcmp(msk_version(), MSK_VERSION) != 0) return 1;
  if (msk_recipe_find(&recipe, nullptr, MSK_JOB_DRAW, "balanced", &error) != MSK_OK) return std::puts(error.message), 1;
  return recipe.steps > 0 && msk_isa_name(0) != nullptr ? 0 : 1;
}
