#include "worker/build/output_tail.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/utf8.h"

namespace manyarch::worker {

namespace {

bool TakeDigits(absl::string_view& text) {
  const size_t before = text.size();
  while (!text.empty() && absl::ascii_isdigit(text.front())) text.remove_prefix(1);
  return text.size() < before;
}

// "2/3", taken off.
bool TakeFraction(absl::string_view& text) {
  return TakeDigits(text) && absl::ConsumePrefix(&text, "/") && TakeDigits(text);
}

bool IsStep(absl::string_view line) {
  if (absl::ConsumePrefix(&line, "[") &&
      !(TakeFraction(line) && absl::ConsumePrefix(&line, "] "))) {
    return false;
  }
  return absl::ConsumePrefix(&line, "STEP ") && TakeFraction(line) &&
         absl::ConsumePrefix(&line, ":");
}

}  // namespace

void OutputTail::Add(absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    const absl::string_view piece = bytes.substr(0, end);
    current_.append(piece.data(), piece.size());
    // A line without end is cut at its front: its end tells more.
    if (current_.size() > 2 * kMaxBytes) current_.erase(0, current_.size() - kMaxBytes);
    if (end == absl::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    EndLine();
  }
}

void OutputTail::EndLine() {
  absl::string_view line = absl::StripTrailingAsciiWhitespace(current_);
  if (const size_t back = line.rfind('\r'); back != absl::string_view::npos) {
    line.remove_prefix(back + 1);
  }
  if (line.size() > kMaxBytes) line.remove_prefix(line.size() - kMaxBytes);
  std::string text = ToUtf8(line);
  if (IsStep(text)) last_step_ = text.substr(0, 1000);
  if (absl::string_view id = text; absl::ConsumePrefix(&id, "--> Using cache ") &&
                                   id.size() == 64 && cached_images_.size() < kMaxImages) {
    cached_images_.emplace(id);
  }
  bytes_ += text.size();
  lines_.push_back(std::move(text));
  while (lines_.size() > kMaxLines || bytes_ > kMaxBytes) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
  }
  current_.clear();
}

std::vector<std::string> OutputTail::LastLines() const {
  OutputTail copy = *this;
  if (!copy.current_.empty()) copy.EndLine();
  return std::vector<std::string>(copy.lines_.begin(), copy.lines_.end());
}

std::string OutputTail::Text() const { return absl::StrJoin(LastLines(), "\n"); }

}  // namespace manyarch::worker
