// Content digests as the distribution spec writes them: "sha256:<64 lower-case hex digits>".
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch {

// A well-formed sha256 digest. Value type; ordered and hashable.
class Digest {
 public:
  // Refuses anything but "sha256:" and 64 lower-case hex digits.
  static absl::StatusOr<Digest> Parse(absl::string_view text);
  static Digest Of(absl::string_view bytes);

  // "sha256:…"
  const std::string& ToString() const { return text_; }
  // The 64 hex digits alone.
  absl::string_view hex() const { return absl::string_view(text_).substr(7); }

  friend bool operator==(const Digest& a, const Digest& b) { return a.text_ == b.text_; }
  friend bool operator!=(const Digest& a, const Digest& b) { return a.text_ != b.text_; }
  friend bool operator<(const Digest& a, const Digest& b) { return a.text_ < b.text_; }
  template <typename H>
  friend H AbslHashValue(H h, const Digest& d) {
    return H::combine(std::move(h), d.text_);
  }

 private:
  friend class Sha256;
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// SHA-256 over a stream of pieces. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(absl::string_view bytes);
  // To be called once; the object is spent afterwards.
  Digest Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace manyarch
