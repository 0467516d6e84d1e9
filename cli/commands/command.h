// What every command has in common.
#pragma once

#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace manyarch::cli {

// Flags that every command takes, and what the command line decided to do.
struct Invocation {
  std::string controller;  // "HOST:PORT", whatever it was chosen by, when `run` is called.
  std::string farm;        // --farm
  bool verbose = false;
  std::function<int()> run;  // Returns the exit status.
};

// Each adds one command to `app`; `invocation` must outlive the parse and the run.
void AddBuild(CLI::App& app, Invocation& invocation);
void AddJobs(CLI::App& app, Invocation& invocation);
void AddShow(CLI::App& app, Invocation& invocation);
void AddLogs(CLI::App& app, Invocation& invocation);
void AddAttach(CLI::App& app, Invocation& invocation);
void AddWait(CLI::App& app, Invocation& invocation);
void AddRetry(CLI::App& app, Invocation& invocation);
void AddWhy(CLI::App& app, Invocation& invocation);
void AddCancel(CLI::App& app, Invocation& invocation);
void AddWorkers(CLI::App& app, Invocation& invocation);
void AddVersion(CLI::App& app, Invocation& invocation);
void AddDev(CLI::App& app, Invocation& invocation);
void AddImage(CLI::App& app, Invocation& invocation);
void AddDoctor(CLI::App& app, Invocation& invocation);
void AddFarms(CLI::App& app, Invocation& invocation);
void AddCompletion(CLI::App& app, Invocation& invocation);

// --controller and --farm
void AddFarmFlags(CLI::App& command, Invocation& invocation);

// A new command with the flags of `invocation`.
CLI::App* NewCommand(CLI::App& app, Invocation& invocation, const std::string& name,
                     const std::string& description);
// The same for a command that asks no controller.
CLI::App* NewLocalCommand(CLI::App& app, Invocation& invocation, const std::string& name,
                          const std::string& description);

// --format table|json
void AddFormat(CLI::App& command, std::string& format);

// Says the error on stderr and returns its exit status.
int Fail(const absl::Status& status);

// Writes to stdout and flushes.
void Print(absl::string_view text);

}  // namespace manyarch::cli
