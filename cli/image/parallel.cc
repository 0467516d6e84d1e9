#include "cli/image/parallel.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace manyarch::cli::image {

void ForEachInParallel(size_t n, const std::function<void(size_t)>& work) {
  constexpr size_t kThreads = 8;
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(n, kThreads); ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < n; at = next++) work(at);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace manyarch::cli::image
