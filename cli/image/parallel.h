// The same for many, a few at a time.
#pragma once

#include <cstddef>
#include <functional>

namespace manyarch::cli::image {

// Calls `work` with 0 … n-1, on up to eight threads; returns when all calls have.
void ForEachInParallel(size_t n, const std::function<void(size_t)>& work);

}  // namespace manyarch::cli::image
