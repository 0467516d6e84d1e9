#include "worker/build/failure_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

constexpr v1::FailureClass kUser = v1::FAILURE_CLASS_USER;
constexpr v1::FailureClass kInfra = v1::FAILURE_CLASS_INFRASTRUCTURE;

struct Facts {
  bool oom_kill = false;
  bool memory_limit = false;
  bool disk_full = false;
  bool emulated = false;
  bool emulator_stuck = false;
  const char* foreign_emulator = "";
  bool platform_works = true;
};
constexpr Facts kOom = {.oom_kill = true};
constexpr Facts kOverLimit = {.oom_kill = true, .memory_limit = true};
constexpr Facts kDiskFull = {.disk_full = true};
constexpr Facts kEmulated = {.emulated = true};
constexpr Facts kStuck = {.emulated = true, .emulator_stuck = true};
constexpr Facts kStuckElsewhere = {.emulator_stuck = true, .foreign_emulator = "arm64"};
constexpr Facts kLost = {.emulated = true, .platform_works = false};

struct Row {
  const char* name;
  int exit_code;
  const char* output;
  v1::FailureClass want;
  int want_exit_code;
  const char* message;  // Part of it.
  Facts facts = {};
};

// Outputs as buildah 1.28.2 gives them, shortened.
const Row kRows[] = {
    {"run_fails_oci", 7,
     "STEP 3/3: RUN make\nmake: *** [all] Error 1\n"
     "Error: building at STEP \"RUN make\": while running runtime: exit status 7",
     kUser, 7, "RUN make"},
    {"run_fails_chroot", 7,
     "subprocess exited with status 7\nsubprocess exited with status 7\n"
     "Error: building at STEP \"RUN make\": exit status 7",
     kUser, 7, "RUN make"},
    {"run_killed_without_oom", 137,
     "Error: building at STEP \"RUN x\": while running runtime: exit status 137", kUser, 137,
     "137"},
    {"run_killed_with_oom", 137,
     "Error: building at STEP \"RUN x\": while running runtime: exit status 137", kInfra, 137,
     "for want of memory", kOom},
    {"run_itself_killed_with_oom_oci", 1,
     "container exited on killed\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "for want of memory", kOom},
    {"run_takes_more_memory_than_the_job_allows", 1,
     "container exited on killed\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, "took more than --memory allows", kOverLimit},
    {"run_killed_with_a_memory_limit_but_not_for_it",
     1,
     "container exited on killed\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser,
     1,
     "",
     {.memory_limit = true}},
    {"run_fails_while_something_else_is_oom_killed", 2,
     "Error: building at STEP \"RUN x\": while running runtime: exit status 2", kUser, 2, "", kOom},
    {"run_prints_a_registry_error", 1,
     "curl: (7) connection refused, manifest unknown\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, ""},
    {"run_prints_error_lines_of_its_own", 1,
     "Error: connection refused\nError: building at STEP \"RUN x\": while running runtime: exit "
     "status 1",
     kUser, 1, "building at STEP"},
    {"buildah_killed", 137, "STEP 1/2: FROM x\nSTEP 2/2: RUN sleep", kInfra, 0, "killed it"},
    {"disk_full_in_run", 1,
     "cc1: error: No space left on device\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "disk is full", kDiskFull},
    {"run_says_disk_full_where_it_is_not", 1,
     "dd: /dev/shm/x: No space left on device\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, ""},
    {"run_fails_on_a_full_disk_without_a_word_of_it", 1,
     "x.c:1: error\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, "", kDiskFull},
    {"qemu_crash", 139,
     "qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 139",
     kInfra, 139, "crashed under qemu", kEmulated},
    {"qemu_crash_inside_of_make", 2,
     "cc -o x\nqemu: uncaught target signal 11 (Segmentation fault) - core dumped\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 2",
     kInfra, 2, "crashed under qemu", kEmulated},
    {"qemu_fatal", 1,
     "qemu: fatal: Trying to execute code outside RAM\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "emulator crashed", kEmulated},
    {"qemu_assertion", 134,
     "**\nERROR:../../accel/tcg/cpu-exec.c:954: assertion failed\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 134",
     kInfra, 134, "emulator crashed", kEmulated},
    {"crash_under_emulation_without_a_word", 139,
     "Segmentation fault\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 139",
     kInfra, 139, "crashed under qemu", kEmulated},
    {"qemu_cannot_die_of_the_signal", 1,
     "container exited on killed\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "crashed under qemu", kStuck},
    {"stuck_emulator_of_another_stage", 1,
     "qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n"
     "container exited on killed\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "a program for arm64, which this build is not for, crashed under qemu-aarch64",
     kStuckElsewhere},
    {"crash_that_only_the_output_tells", 139,
     "qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 139",
     kUser, 139, "by what it says, a program of another platform crashed under qemu"},
    {"stuck_emulator_while_others_want_memory",
     1,
     "container exited on killed\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra,
     1,
     "crashed under qemu",
     {.oom_kill = true, .emulated = true, .emulator_stuck = true}},
    {"trap_under_emulation", 133,
     "Error: building at STEP \"RUN x\": while running runtime: exit status 133", kInfra, 133,
     "crashed under qemu", kEmulated},
    {"loader_missing_under_emulation", 255,
     "aarch64-binfmt-P: Could not open '/lib/ld-linux-aarch64.so.1': No such file or directory\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 255",
     kUser, 255, "", kEmulated},
    {"run_says_qemu_but_is_native", 1,
     "qemu: fatal: x\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, ""},
    {"run_says_qemu_in_the_middle_of_a_line", 1,
     "testing qemu: fatal\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, "", kEmulated},
    {"native_crash", 139,
     "Segmentation fault\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 139",
     kUser, 139, ""},
    {"killed_under_emulation_without_oom", 137,
     "Killed\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 137",
     kUser, 137, "", kEmulated},
    {"no_emulator_oci", 1,
     "exec /bin/sh: exec format error\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "lost its emulator", kLost},
    {"no_emulator_chroot", 1,
     "process failed to start with error: fork/exec /bin/sh: exec format error\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "lost its emulator", kLost},
    {"program_of_another_platform", 1,
     "exec /bin/sh: exec format error\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, "not of this platform"},
    {"run_says_network_unreachable", 3,
     "network is unreachable\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 3",
     kUser, 3, "exit status 3"},
    {"run_says_no_route", 1,
     "connect: No route to host\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, ""},
    {"resolver_down_in_run", 100,
     "E: Temporary failure resolving 'deb.debian.org'\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 100",
     kUser, 100, ""},
    {"run_says_out_of_memory", 1,
     "fork: Cannot allocate memory\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, ""},
    {"run_says_io_error", 1,
     "cat: x: Input/output error\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, ""},
    {"run_says_disk_quota", 1,
     "x: Disk quota exceeded\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, "", kDiskFull},
    {"run_prints_runc", 1,
     "runc create failed: error setting rlimits\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, ""},
    {"run_prints_what_buildah_says_of_runc_and_goes_on", 1,
     "error running container: from runc: runc create failed\na\nb\nc\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, ""},
    {"rlimit_runc", 1,
     "error running container: from /usr/bin/runc creating container for [x]: runc create failed: "
     "unable to start container process: error during container init: error setting rlimits for "
     "ready process: operation not permitted\n: exit status 1\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "resource limits"},
    {"copy_fails_after_a_run_that_printed_trouble", 125,
     "network is unreachable\nqemu: fatal\nNo space left on device\n"
     "Error: building at STEP \"COPY x /\": checking on sources: no such file or directory",
     kUser, 0, "COPY x /"},
    {"step_that_names_an_exit_status_but_has_none", 125,
     "Error: building at STEP \"RUN echo: exit status x\": setting \"RLIMIT_NOFILE\" limit: "
     "operation "
     "not permitted",
     kInfra, 0, "resource limits"},
    {"disk_full_in_commit", 125,
     "Error: committing container for step {...}: copying layers: write /s/x: no space left on "
     "device",
     kInfra, 0, "disk is full"},
    {"disk_full_that_buildah_does_not_name", 125,
     "Error: committing container for step {...}: storing layer \"x\" to file: io: read/write on "
     "closed pipe",
     kInfra, 0, "disk is full", kDiskFull},
    {"no_such_program_oci", 1,
     "error running container: from /usr/bin/runc creating container for [/bin/sh -c x]: "
     "time=\"...\" level=error msg=\"runc create failed: unable to start container process: exec: "
     "\\\"/bin/sh\\\": stat /bin/sh: no such file or directory\"\n: exit status 1\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kUser, 1, "no such program"},
    {"runc_broken", 1,
     "error running container: from /usr/bin/runc creating container for [x]: runc create failed: "
     "unable to start container process: error during container init: mounting proc: permission "
     "denied\n"
     "Error: building at STEP \"RUN x\": while running runtime: exit status 1",
     kInfra, 1, "runc"},
    {"missing_copy_source", 125,
     "Error: building at STEP \"COPY x /\": checking on sources under \"/c\": copier: stat: "
     "\"/x\": no "
     "such file or directory",
     kUser, 0, "COPY x /"},
    {"unknown_instruction", 125,
     "Error: building at STEP \"FROB \": Build error: Unknown instruction: \"FROB\"", kUser, 0,
     "FROB"},
    {"bad_from", 125,
     "Error: FROM requires either one argument, or three: FROM <source> [as <name>]", kUser, 0,
     "FROM requires"},
    {"no_from", 125, "Error: no FROM statement found", kUser, 0, "no FROM"},
    {"empty", 125, "Error: no contents in \"Containerfile\"", kUser, 0, "empty"},
    {"unknown_user", 125,
     "Error: building at STEP \"RUN x\": determining run uid: user: unknown user error looking up "
     "user "
     "\"nobody\"",
     kUser, 0, "unknown user"},
    {"base_unknown", 125,
     "Error: creating build container: initializing source docker://r/x:1: reading manifest 1 in "
     "r/x: "
     "manifest unknown: manifest unknown",
     kUser, 0, "check its name"},
    {"base_denied", 125,
     "Error: creating build container: initializing source docker://x:1: reading manifest 1 in "
     "docker.io/library/x: requested access to the resource is denied",
     kUser, 0, "credentials"},
    {"base_lacks_platform", 125,
     "Error: creating build container: choosing an image from manifest list docker://r/x: no image "
     "found "
     "in manifest list for architecture arm64, variant \"\", OS linux",
     kUser, 0, "lacks this platform"},
    {"base_malformed", 125, "Error: creating build container: invalid reference format", kUser, 0,
     "malformed"},
    {"registry_down", 125,
     "Error: creating build container: initializing source docker://127.0.0.1:1/x:latest: pinging "
     "container registry 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused",
     kInfra, 0, "connection refused"},
    {"registry_limits", 125,
     "Error: creating build container: reading manifest latest in docker.io/library/x: "
     "toomanyrequests: "
     "You have reached your pull rate limit",
     kInfra, 0, "limits requests"},
    {"registry_500", 125,
     "Error: creating build container: reading blob sha256:1: received unexpected HTTP status: 503",
     kInfra, 0, "503"},
    {"registry_name", 125,
     "Error: creating build container: pinging container registry r: dial tcp: lookup r: no such "
     "host",
     kInfra, 0, "resolver"},
    {"registry_http", 125,
     "Error: creating build container: pinging container registry r: http: server gave HTTP "
     "response to "
     "HTTPS client",
     kInfra, 0, "--plain-http"},
    {"add_url_down", 125,
     "Error: building at STEP \"ADD http://r/x /\": reading \"http://r/x\": dial tcp: connect: "
     "connection "
     "refused",
     kInfra, 0, ""},
    {"rlimit", 125,
     "Error: building at STEP \"RUN x\": setting \"RLIMIT_NOFILE\" limit to "
     "soft=1048576,hard=1048576 "
     "(was soft=20000,hard=20000): operation not permitted",
     kInfra, 0, "resource limits"},
    {"push_unauthorized", 125,
     "Error: pushing image \"x\" to \"docker://r/x:t\": trying to reuse blob sha256:1 at "
     "destination: "
     "checking whether a blob sha256:1 exists in r/x: unauthorized: authentication required",
     kUser, 0, "credentials"},
    {"push_unknown_trouble", 125, "Error: pushing image \"x\" to \"docker://r/x:t\": something new",
     kInfra, 0, "something new"},
    {"nothing_said", 1, "", kInfra, 0, "exit code 1"},
    {"nothing_said_on_a_full_disk", 1, "", kInfra, 0, "disk is full", kDiskFull},
};

class FailureTableTest : public ::testing::TestWithParam<Row> {};

TEST_P(FailureTableTest, Classifies) {
  const Row& row = GetParam();
  Evidence evidence;
  evidence.exit_code = row.exit_code;
  evidence.output = row.output;
  evidence.oom_kill = row.facts.oom_kill;
  evidence.memory_limit = row.facts.memory_limit;
  evidence.disk_full = row.facts.disk_full;
  evidence.emulated = row.facts.emulated;
  evidence.emulator_stuck = row.facts.emulator_stuck;
  evidence.foreign_emulator = row.facts.foreign_emulator;
  evidence.platform_works = row.facts.platform_works;
  const Verdict verdict = Classify(evidence);
  EXPECT_EQ(verdict.failure_class, row.want) << verdict.message;
  EXPECT_EQ(verdict.exit_code, row.want_exit_code);
  EXPECT_THAT(verdict.message, HasSubstr(row.message));
}

INSTANTIATE_TEST_SUITE_P(Rows, FailureTableTest, ::testing::ValuesIn(kRows),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(FailureTable, TellsEmulatorCrashesFromOtherFailuresOfTheMachine) {
  Evidence crash;
  crash.exit_code = 139;
  crash.emulated = true;
  crash.output =
      "qemu: uncaught target signal 11 (Segmentation fault) - core dumped\n"
      "Error: building at STEP \"RUN make\": while running runtime: exit status 139\n";
  EXPECT_TRUE(Classify(crash).emulator_crash);
  crash.emulated = false;  // A native program may print what it likes.
  EXPECT_FALSE(Classify(crash).emulator_crash);
  // A stage of another platform: a native worker of this one would crash it as well.
  for (const bool emulated : {false, true}) {
    crash.emulated = emulated;
    crash.emulator_stuck = true;
    crash.foreign_emulator = "s390x";
    EXPECT_FALSE(Classify(crash).emulator_crash) << emulated;
  }
  Evidence full;
  full.exit_code = 1;
  full.emulated = full.disk_full = true;
  full.output =
      "no space left on device\n"
      "Error: building at STEP \"RUN make\": while running runtime: exit status 1\n";
  EXPECT_FALSE(Classify(full).emulator_crash);
}

TEST(WithoutPaths, PutsTheWorkersPathsInWords) {
  EXPECT_EQ(
      WithoutPaths("checking on sources under \"/s/a/j1/work/context\": no \"/x\"", "/s/a/j1/work"),
      "checking on sources under the context: no \"/x\"");
  EXPECT_EQ(WithoutPaths("reading /w/context/Containerfile, /w/context and /w/tmp", "/w"),
            "reading Containerfile, the context and the work directory/tmp");
  EXPECT_EQ(WithoutPaths("nothing of it", "/w"), "nothing of it");
}

}  // namespace
}  // namespace manyarch::worker
