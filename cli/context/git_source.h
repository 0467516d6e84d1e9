// A context that is a git repository's commit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/os/stop_token.h"

namespace manyarch::cli {

// "https://host/repo.git#ref:sub/directory", taken apart.
struct GitUrl {
  std::string url;        // As git takes it.
  std::string ref;        // Branch, tag or full commit id; empty: the remote's HEAD.
  std::string directory;  // Below the repository's root; empty: all of it.

  // For people and for records: without what stands before '@' in http URLs, which may be a token.
  std::string Shown() const;
};

// Nothing where the text is no git URL: git://, ssh://, git+ssh:// and file:// URLs,
// "git@host:path", http(s) URLs whose path ends with ".git", and "github.com/owner/repo" are.
// INVALID_ARGUMENT for one that cannot be used, and for all other http(s) URLs.
absl::StatusOr<std::optional<GitUrl>> ParseGitUrl(absl::string_view text);

struct GitCheckout {
  std::string directory;  // The context's files: the subdirectory, where one was named.
  std::string commit;     // Its full id.
};

// Asks the remote for the ref's commit and checks that commit out in `into` (an existing empty
// directory), as shallow as the remote allows; .git is not part of what is left there. The user's
// own git configuration (credential helpers, proxies, url.insteadOf) applies; hooks and terminal
// prompts do not. A commit with submodules is refused: they are not fetched.
// `stop`, where it is not null, ends git and makes this CANCELLED.
absl::StatusOr<GitCheckout> FetchGit(const GitUrl& url, const std::string& into,
                                     const StopToken* stop = nullptr);

}  // namespace manyarch::cli
